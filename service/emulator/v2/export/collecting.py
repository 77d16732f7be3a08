"""Collecting the resources of patients, with an OperationOutcome for each who gives none (contract-v2 7.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from service.emulator.v2.export.claims import Claimant, Resource, build_records
from service.emulator.v2.export.outcomes import build_trouble, load_scripted

ERRORS = "OperationOutcome"

_MBI = re.compile(r"[0-9][A-Z][A-Z0-9][0-9][A-Z][A-Z0-9][0-9][A-Z]{2}[0-9]{2}", re.ASCII)


def collect(
    connection: Connection,
    claimants: Iterable[Claimant],
    types: Sequence[str],
    now: datetime,
    since: datetime | None,
) -> dict[str, list[Resource]]:
    """Resources by type, and the errors last; types without any are left out.

    What is not shaped like an MBI is nobody at the claims server (contract-v2 T13).
    """
    scripted = load_scripted(connection)
    found: dict[str, list[Resource]] = {kind: [] for kind in (*types, ERRORS)}
    for one in claimants:
        key = one.mbi.upper()
        outcome = scripted.get(key, "ok" if _MBI.fullmatch(key) else "not_found")
        if outcome != "ok":
            found[ERRORS].append(build_trouble(outcome, one.mbi))
            continue
        records = build_records(one, now, since)
        for kind in types:
            found[kind] += records[kind]
    return {kind: resources for kind, resources in found.items() if resources}
