"""Version 1 of the API under /api/v1: one module per resource (contract-v1)."""

from __future__ import annotations

from flask import Blueprint

from service.emulator.v1 import capability, definitions, groups, organizations, patients, practitioners
from service.emulator.v1.access import addresses, keys, token_auth, tokens
from service.emulator.v1.exports import files, jobs, operations

_RESOURCES = (
    addresses, capability, definitions, files, groups, jobs, keys, operations, organizations, patients, practitioners,
    token_auth, tokens,
)  # fmt: skip


def build_v1() -> Blueprint:
    """All resources of version 1."""
    blueprint = Blueprint("v1", __name__)
    for resource in _RESOURCES:
        blueprint.register_blueprint(resource.blueprint)
    return blueprint
