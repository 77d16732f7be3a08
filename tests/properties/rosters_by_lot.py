"""Files as they come in, drawn by lot: mostly an ordinary day's, and now and then a strange one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import strategies as st

from service.domain.intake import History
from service.domain.roster import Claim
from service.domain.series import Place

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MBIS = [f"1S00E00AA{n:02d}" for n in range(12)]
SPARE = [f"1S00E00AA{n:02d}" for n in range(90, 93)]
"""Numbers that patients get anew."""
NPIS = ["2323232225", "3990000002"]
MODES = {"ehr": "snapshot", "clinic": "snapshot", "changes": "delta"}


@dataclass(frozen=True)
class File:
    """One delivery as it was read."""

    serial: int
    feed: str
    received_at: datetime
    as_of_at: datetime | None
    listed: Mapping[str, frozenset[str]]
    removed: Mapping[str, frozenset[str]]
    protected: frozenset[str] = frozenset()
    blind: int = 0
    told: tuple[tuple[str, str], ...] = ()

    @property
    def evidence_at(self) -> datetime:
        return self.as_of_at or self.received_at

    @property
    def place(self) -> Place:
        return Place(self.serial, self.as_of_at, self.received_at)

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset((npi, mbi) for npi, mbis in self.listed.items() for mbi in mbis)

    @property
    def rows(self) -> int:
        return sum(map(len, self.listed.values()))

    @property
    def npis(self) -> list[str]:
        return sorted(self.listed.keys() | self.removed.keys())


@dataclass
class Feed:
    """What one feed has claimed; `before` are its claims before the files of the last date came.

    `folded` are its files in the order in which they came to count for the last time.
    """

    claims: dict[str, tuple[Claim, ...]] = field(default_factory=dict)
    accepted: list[File] = field(default_factory=list)
    folded: list[File] = field(default_factory=list)
    before: dict[str, tuple[Claim, ...]] = field(default_factory=dict)

    def tell_history(self, file: File) -> History:
        """What the guards compare a file with."""
        as_of = [one.as_of_at for one in self.accepted if one.as_of_at]
        undated = [one.received_at for one in self.accepted if not one.as_of_at and one.serial < file.serial]
        rows = [one.rows for one in self.accepted[:-6:-1]]
        return History(rows, max(as_of, default=None), last_undated_at=max(undated, default=None))


MOST = st.one_of(
    st.sampled_from([frozenset(MBIS[:n]) for n in (10, 9, 8, 7, 12)]),
    st.frozensets(st.sampled_from(MBIS[:10]), max_size=3).map(lambda missing: frozenset(MBIS[:10]) - missing),
)
LISTED = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(NPIS, MOST)),
    st.dictionaries(st.sampled_from(NPIS), st.one_of(MOST, st.frozensets(st.sampled_from(MBIS + SPARE))), min_size=1),
)
REMOVED = st.dictionaries(st.sampled_from(NPIS), st.frozensets(st.sampled_from(MBIS[:10] + SPARE), max_size=4))
AGES = st.sampled_from([None, None, None, None, 0, 0, 1, 3, 36])
TOLD = st.lists(st.tuples(st.sampled_from([*MBIS[:3], SPARE[0]]), st.sampled_from([*SPARE, MBIS[0]])), max_size=1)
