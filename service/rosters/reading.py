"""What a roster file is read into: columns of pairs, findings and, on demand, people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import Environment
from service.rosters.columns.kernels import unpack_codes
from service.rosters.findings import Finding
from service.rosters.limits import MAX_ROWS

ALL_PRACTITIONERS = 0
"""The NPI of a removal that concerns every practitioner of the patient."""


@dataclass(frozen=True, slots=True)
class RosterOptions:
    """How a feed wants its files read.

    `mode` is the feed's ("snapshot" or "delta"); `column_mapping` maps a role (mbi, npi, first_name ...; see
    `headings.ROLES`) to the heading a person chose, `header_hash` is the header it was chosen for. `encoding` is the
    one declared for text (one of `encoding.DECLARED`), None to find it out. Without `today` no date is compared.
    More than `max_rows` rows are `too_large`. `organization_npi` is the own number of whoever the roster is of, which
    is no practitioner's (feeds 2.3); None where nobody knows it.
    """

    environment: Environment
    mode: str | None = None
    content_type: str | None = None
    filename: str | None = None
    column_mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    header_hash: str | None = None
    encoding: str | None = None
    today: date | None = None
    max_rows: int = MAX_ROWS
    organization_npi: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Pairs in input order: `mbi` packed (uint64), `npi` (int64, 0 = all practitioners), `line` (int32).

    `line` is the physical line of a table or the 1-based place of an entry.
    """

    mbi: NDArray[np.uint64]
    npi: NDArray[np.int64]
    line: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.mbi)

    def iter_pairs(self) -> Iterator[tuple[str, str | None]]:
        """Yields canonical (MBI, NPI) texts; None stands for all practitioners."""
        for mbi, npi in zip(unpack_codes(self.mbi), self.npi.tolist(), strict=True):
            yield mbi, f"{npi:010d}" if npi != ALL_PRACTITIONERS else None


NO_COLUMNS = Columns(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Demographics:
    """What registering a patient needs; `gender` is a FHIR code, what the file does not say is None."""

    mbi: str
    given: str | None
    family: str | None
    birth_on: date | None
    gender: str | None
    position: str


@dataclass(frozen=True, slots=True)
class PractitionerName:
    """What registering a practitioner needs."""

    npi: str
    given: str | None
    family: str | None
    position: str


@dataclass(frozen=True, slots=True, eq=False)
class RosterReading:
    """One file as read; with a `file_error` every list is empty and nothing may be applied.

    `mode_signal` is none, delta, partial or snapshot (feeds 7.2); `protected` holds the packed MBIs that this
    input must not remove because one of their rows is wrong. `as_of_at` and `sequence` are what an envelope
    states about itself. `change_positions` names the entry that tells each of `mbi_changes`; `positions` names
    the entries where lines do not: that of line n is its (n-1)th.
    """

    format: str
    mode_signal: str = "none"
    file_error: str | None = None
    encoding: str | None = None
    header_hash: str | None = None
    data_rows: int = 0
    present: Columns = NO_COLUMNS
    remove: Columns = NO_COLUMNS
    mbi_changes: tuple[tuple[str, str], ...] = ()
    change_positions: tuple[str, ...] = ()
    findings: Sequence[Finding] = ()
    protected: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    blind_errors: int = 0
    demographics: Sequence[Demographics] = ()
    practitioner_names: Sequence[PractitionerName] = ()
    declared_count: int | None = None
    as_of_at: datetime | None = None
    sequence: str | None = None
    positions: Sequence[str] = ()

    @property
    def protected_mbis(self) -> tuple[str, ...]:
        """Canonical MBIs that no automatic removal of this input may touch, in input order."""
        return tuple(unpack_codes(self.protected))
