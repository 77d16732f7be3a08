"""Whether the process lives and whether it can work; neither asks DPC, and neither shows a value."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from service.web.access import open_to_all
from service.web.places import find_runtime
from service.workflows.set_up import check_readiness

routes = Blueprint("probes", __name__)


@routes.get("/livez")
@open_to_all
def show_liveness() -> ResponseReturnValue:
    """Answer that the process lives; looks at nothing else."""
    return jsonify({"state": "alive"})


@routes.get("/readyz")
@open_to_all
def show_readiness() -> ResponseReturnValue:
    """Answer 200 when schema, database and keys are as they must be, else 503 with the first failing check."""
    failing = next((check for check in check_readiness(find_runtime()) if not check.ok), None)
    if failing is None:
        return jsonify({"state": "ready"})
    return jsonify({"state": "not ready", "check": failing.name, "next_action": failing.next_action}), 503
