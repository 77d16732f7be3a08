"""What the practice wants: the claims of all feeds, by patient and under present MBIs, united per practitioner."""

from __future__ import annotations

from collections import defaultdict

from service.domain.renames import Numbers, find_mistaken, resolve_renames
from service.domain.roster import Claim, Panel, build_panel
from service.storage import panels
from service.storage.connection import Connection
from service.storage.panel_codec import read_claims
from service.storage.renames import find_renames
from service.storage.sealing import OrganizationKeys


def load_numbers(connection: Connection, keys: OrganizationKeys, organization_id: str) -> Numbers:
    """Answer what is known of changed MBIs. Raises SealBroken with other keys."""
    changes = find_renames(connection, keys, organization_id)
    return Numbers(resolve_renames(changes), find_mistaken(changes))


def load_desired(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str | None = None
) -> list[Panel]:
    """Answer what the practice wants: the claims of all feeds, united per practitioner."""
    by_npi: dict[str, dict[str, tuple[Claim, ...]]] = defaultdict(dict)
    for panel in panels.load_claims(connection, keys, organization_id, npi):
        by_npi[panel.npi][panel.feed] = read_claims(panel.columns)
    known = load_numbers(connection, keys, organization_id)
    return [build_panel(one, claims, known) for one, claims in sorted(by_npi.items())]
