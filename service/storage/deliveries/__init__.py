"""Deliveries and what was found wrong with their rows."""

from __future__ import annotations

from service.storage.deliveries.deliveries import (
    Delivery,
    add_delivery,
    find_accepted_after,
    find_by_digest,
    find_by_idempotency_key,
    find_by_number,
    find_by_sequence,
    find_deliveries,
    find_known_paths,
    find_last_accepted,
    find_last_folded,
    load_delivery,
    set_delivery_state,
    update_delivery,
)
from service.storage.deliveries.effects import (
    DeliveryEffect,
    add_effects,
    find_effects,
    replace_effects,
)
from service.storage.deliveries.findings import (
    Finding,
    add_findings,
    count_findings_by_code,
    find_findings,
)

__all__ = [
    "Delivery",
    "DeliveryEffect",
    "Finding",
    "add_delivery",
    "add_effects",
    "add_findings",
    "count_findings_by_code",
    "find_accepted_after",
    "find_by_digest",
    "find_by_idempotency_key",
    "find_by_number",
    "find_by_sequence",
    "find_deliveries",
    "find_effects",
    "find_findings",
    "find_known_paths",
    "find_last_accepted",
    "find_last_folded",
    "load_delivery",
    "replace_effects",
    "set_delivery_state",
    "update_delivery",
]
