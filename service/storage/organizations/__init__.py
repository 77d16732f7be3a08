"""Organisations and what opens DPC for them."""

from __future__ import annotations

from service.storage.organizations.credentials import (
    DpcKey,
    add_key,
    find_keys,
    has_client_token,
    load_client_token,
    load_private_key,
    retire_key,
    save_client_token,
    set_key_registered,
)
from service.storage.organizations.organizations import (
    Organization,
    add_organization,
    find_organizations,
    load_organization,
    update_organization,
)

__all__ = [
    "DpcKey",
    "Organization",
    "add_key",
    "add_organization",
    "find_keys",
    "find_organizations",
    "has_client_token",
    "load_client_token",
    "load_organization",
    "load_private_key",
    "retire_key",
    "save_client_token",
    "set_key_registered",
    "update_organization",
]
