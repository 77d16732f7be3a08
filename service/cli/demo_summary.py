"""What the demo did, in numbers that a script can compare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.cli.demo_data import ORGANIZATION_ID
from service.runtime import Runtime
from service.workflows.apply import ApplyReport
from service.workflows.deliveries import find_deliveries
from service.workflows.holds import find_holds
from service.workflows.onboard import find_organizations
from service.workflows.plans import find_plans
from service.workflows.prove import verify_ledger

KINDS = ("register", "create", "add", "renew", "remove", "overwrite")
_MANY = 500


@dataclass
class Tally:
    """What is counted while the story goes on."""

    changes: Counter[str] = field(default_factory=Counter)
    attestations: int = 0
    is_converged: bool = False

    def count(self, planned: Mapping[str, int], report: ApplyReport) -> None:
        """Count one applied plan; whoever is reinstated is added once more."""
        self.changes.update({"add" if kind == "reinstate" else kind: n for kind, n in planned.items()})
        self.attestations += report.attestations


def build_summary(rt: Runtime, tally: Tally, requests_to_dpc: int, seconds: float) -> dict[str, Any]:
    """Answer the summary under the keys that scripts rely on."""
    deliveries = find_deliveries(rt, ORGANIZATION_ID, limit=_MANY)
    accepted = [d for d in deliveries if d.state in ("accepted", "superseded")]
    ledger = verify_ledger(rt, None)
    return {
        "organizations": len(find_organizations(rt)),
        "deliveries": len(deliveries),
        "pairs_accepted": sum(d.present_count for d in accepted),
        "findings": sum(d.error_count + d.warning_count for d in deliveries),
        "plans": len(find_plans(rt, ORGANIZATION_ID, limit=_MANY)),
        "changes": {kind: tally.changes[kind] for kind in KINDS},
        "attestations": tally.attestations,
        "held": len(find_holds(rt, ORGANIZATION_ID, "open")),
        "requests_to_dpc": requests_to_dpc,
        "ledger": {"entries": ledger.entries, "verified": ledger.ok},
        "converged": tally.is_converged,
        "seconds": round(seconds, 1),
    }


def save_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary as one JSON document."""
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
