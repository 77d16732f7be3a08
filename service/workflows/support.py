"""Whether the rosters still say what a plan was drawn from; a signature covers nothing that they no longer support."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain.change import Change, ChangeKind
from service.domain.expiry import is_evidence_fresh
from service.domain.roster import Panel
from service.runtime import Runtime
from service.storage import organizations
from service.storage.connection import Connection
from service.storage.sealing import OrganizationKeys
from service.workflows.desired import load_desired
from service.workflows.policies import read_policy


def find_unsupported(
    rt: Runtime, connection: Connection, keys: OrganizationKeys, organization_id: str, changes: Sequence[Change]
) -> set[str]:
    """Answer the practitioners for whom a change is no longer supported by accepted, fresh evidence.

    An attestation needs a claim that stands and is not too old, a removal one that has ended.
    """
    now = rt.now()
    policy = read_policy(organizations.load_organization(connection, organization_id))
    npis = {change.npi for change in changes if change.npi}
    if not npis:
        return set()
    only = next(iter(npis)) if len(npis) == 1 else None
    desired = {panel.npi: panel for panel in load_desired(connection, keys, organization_id, only)}

    def is_supported(change: Change, panel: Panel) -> bool:
        if change.kind is ChangeKind.REMOVE:
            return all(p.mbi in panel.ended for p in change.patients)
        claims = [panel.wanted.get(p.mbi) for p in change.patients]
        return all(claim is not None and is_evidence_fresh(claim, now, policy) for claim in claims)

    return {
        change.npi for change in changes if change.npi and not is_supported(change, desired.get(change.npi) or _EMPTY)
    }


_EMPTY = Panel("", {}, {})
