"""The rules as tables: what the practice says, what DPC holds and what is then planned, side by side, in plain words.

    patient | roster             | at DPC                  | expected
    ann     | listed 3 days ago  | active, ends in 12 days | renew

`check_plan` draws the plan for such a table and compares it row by row. A cell of `roster` is `listed ... ago`,
`ended ... ago` or `absent`; several feeds have a column each. A cell of `at DPC` is `active, ends in ...`,
`expired ... ago, not yet flagged`, `expired ... ago`, `removed ... ago`, `absent` (registered, in no Group),
`unknown, described` or `unknown, undescribed` (not registered); `, not ours` may follow. Spans are sums of days, hours,
minutes and seconds. `expected` lists the changes in the order in which they are sent, `left out: RULE` or `nothing`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from service.domain.attribution import ATTRIBUTION_LASTS, Attribution, Group
from service.domain.change import Change
from service.domain.policy import Policy
from service.domain.reconcile import Observed, Reconciliation, reconcile
from service.domain.roster import Claim, Panel, build_panel

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
NPIS = {"gray": "3905293015", "moss": "2323232225"}

Row = Mapping[str, str]
Rows = Sequence[Row]

_SPAN_PART = re.compile(r"(\d+) (day|hour|minute|second)s?")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a table does not say: the policy, and how DPC stands towards the practitioners."""

    policy: Policy = field(default_factory=Policy)
    without_group: frozenset[str] = frozenset()
    unknown_practitioners: frozenset[str] = frozenset()
    undescribed_practitioners: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()


def read_table(text: str) -> Rows:
    """Read a table with a heading line; cells are parted by `|`, blank lines and rulers are passed over."""
    lines = [line for line in text.splitlines() if line.strip() and not set(line.strip()) <= set("-+|")]
    heading, *body = [[cell.strip() for cell in line.split("|")] for line in lines]
    if not body or any(len(cells) != len(heading) for cells in body):
        raise ValueError("every row of a table has a cell under each heading")
    return [dict(zip(heading, cells, strict=True)) for cells in body]


def read_span(text: str) -> timedelta:
    """Read `35 days`, `14 days and 1 second`, `2 hours`; nothing else."""
    parts = [_SPAN_PART.fullmatch(part) for part in text.split(" and ")]
    span = timedelta(0)
    for part in parts:
        if part is None:
            raise ValueError(f"{text!r} is not a span")
        span += timedelta(**{f"{part[2]}s": int(part[1])})
    return span


def check_plan(table: str, scene: Scene | None = None) -> Reconciliation:
    """Draw the plan of a table and compare it with the table's last column; answers the plan for further questions."""
    rows = read_table(table)
    result = draw_plan(rows, scene or Scene())
    planned = [(row["patient"], describe_patient(_mbi(rows, row), _npi(row), result)) for row in rows]
    assert planned == [(row["patient"], row["expected"]) for row in rows]
    return result


def draw_plan(rows: Rows, scene: Scene) -> Reconciliation:
    """Answer the reconciliation of a table."""
    return reconcile(build_panels(rows), build_observed(rows, scene), NOW, scene.policy)


def build_mbi(place: int) -> str:
    """Answer the number of the patient first named in a row; the sandbox's numbers carry an S that is never issued."""
    return f"1S00E00AA{place:02d}"


def build_patient_id(place: int) -> str:
    return f"patient-{place:02d}"


def build_panels(rows: Rows) -> list[Panel]:
    """Answer the desired state: each column whose heading begins with `roster` is one feed."""
    feeds = [heading for heading in rows[0] if heading.startswith("roster")]
    npis = sorted({_npi(row) for row in rows})
    return [build_panel(npi, {feed: _read_claims(rows, feed, npi) for feed in feeds}) for npi in npis]


def build_observed(rows: Rows, scene: Scene) -> Observed:
    """Answer what DPC holds according to a table."""
    names = {row.get("practitioner", "gray") for row in rows}
    unknown = scene.unknown_practitioners | scene.undescribed_practitioners
    return Observed(
        groups={NPIS[name]: _build_group(rows, name) for name in names - scene.without_group},
        patients={
            _mbi(rows, row): build_patient_id(_place(rows, row))
            for row in rows
            if not row["at DPC"].startswith("unknown")
        },
        practitioners={NPIS[name]: f"practitioner-{name}" for name in names - unknown},
        described_patients=frozenset(_mbi(rows, row) for row in rows if row["at DPC"] == "unknown, described"),
        described_practitioners=frozenset(NPIS[name] for name in scene.unknown_practitioners),
        doubled=frozenset(NPIS[name] for name in scene.doubled),
    )


def read_attribution(cell: str, place: int = 0) -> Attribution | None:
    """Read one cell of `at DPC`; None for a patient in no Group."""
    if cell == "absent" or cell.startswith("unknown"):
        return None
    state = cell.removesuffix(", not ours")
    if state.startswith("active, ends in "):
        end_at, inactive = NOW + read_span(state.removeprefix("active, ends in ")), False
    elif state.endswith(" ago, not yet flagged"):
        end_at, inactive = _read_ago(state.removesuffix(", not yet flagged"), "expired "), False
    else:
        end_at, inactive = _read_ago(state, "expired " if state.startswith("expired") else "removed "), True
    return Attribution(
        patient_id=build_patient_id(place),
        mbi=build_mbi(place),
        start_at=end_at - ATTRIBUTION_LASTS,
        end_at=end_at,
        inactive=inactive,
        owned=state == cell,
    )


def read_claim(cell: str, place: int = 0) -> Claim | None:
    """Read one cell of a `roster` column; None for a pair the feed never listed."""
    if cell == "absent":
        return None
    ended = cell.startswith("ended ")
    evidence_at = _read_ago(cell, "ended " if ended else "listed ")
    return Claim(build_mbi(place), delivery=1, line=place + 2, evidence_at=evidence_at, ended=ended)


def describe_patient(mbi: str, npi: str, result: Reconciliation) -> str:
    """Answer in words what becomes of one pair; the registration of a patient concerns every practitioner."""
    words = [c.kind.value for c in result.changes if mbi in list_patients(c) and c.npi in (None, npi)]
    words += [f"left out: {i.rule.replace('_', ' ')}" for i in result.left_out if (i.npi, i.mbi) == (npi, mbi)]
    return ", ".join(words) or "nothing"


def describe_changes(result: Reconciliation) -> list[str]:
    """Answer the changes in the order in which they are sent: kind and how many it concerns."""
    return [f"{change.kind.value} {change.n}" for change in result.changes]


def list_patients(change: Change) -> list[str]:
    return [patient.mbi for patient in change.patients]


def _npi(row: Row) -> str:
    return NPIS[row.get("practitioner", "gray")]


def _place(rows: Rows, row: Row) -> int:
    return [one["patient"] for one in rows].index(row["patient"])


def _mbi(rows: Rows, row: Row) -> str:
    return build_mbi(_place(rows, row))


def _read_claims(rows: Rows, feed: str, npi: str) -> list[Claim]:
    claims = [read_claim(row[feed], _place(rows, row)) for row in rows if _npi(row) == npi]
    return [claim for claim in claims if claim is not None]


def _build_group(rows: Rows, name: str) -> Group:
    npi = NPIS[name]
    shown = [read_attribution(row["at DPC"], _place(rows, row)) for row in rows if _npi(row) == npi]
    return Group(npi, f"group-{name}", tuple(a for a in shown if a is not None))


def _read_ago(cell: str, word: str) -> datetime:
    if not (cell.startswith(word) and cell.endswith(" ago")):
        raise ValueError(f"{cell!r} is not a cell that this table knows")
    return NOW - read_span(cell.removeprefix(word).removesuffix(" ago"))
