"""Panels as columns: numpy arrays, the bytes that are sealed, and the values of the rules, back and forth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt

from service.domain.attribution import Attribution
from service.domain.identifiers import pack_mbi, unpack_mbi
from service.domain.roster import Claim
from service.storage.panel_body import Column, NotRising, read_body, write_bodies
from service.storage.panel_streams import is_stream, read_stream

UNKNOWN_MBI = 0
"""Stands for a patient at DPC whom we cannot name; the text it would unpack to begins with 0, which no MBI does."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class ClaimColumns:
    """One feed's claims about one practitioner's patients, one element per patient.

    `mbi` uint64 packed, `delivery` int32 number, `line` int32, `evidence_at` int64 epoch seconds, `absences` uint8,
    `ended` bool.
    """

    mbi: npt.NDArray[np.uint64]
    delivery: npt.NDArray[np.int32]
    line: npt.NDArray[np.int32]
    evidence_at: npt.NDArray[np.int64]
    absences: npt.NDArray[np.uint8]
    ended: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mbi)

    def __repr__(self) -> str:
        return f"ClaimColumns(n={len(self)})"


@dataclass(frozen=True, slots=True, eq=False)
class ObservedColumns:
    """What DPC showed of one Group, one element per attribution.

    `patient_id` (n, 16) uint8, `mbi` uint64 packed (0 = unknown), `start_at` and `end_at` int64 epoch seconds,
    `inactive` and `owned` bool.
    """

    patient_id: npt.NDArray[np.uint8]
    mbi: npt.NDArray[np.uint64]
    start_at: npt.NDArray[np.int64]
    end_at: npt.NDArray[np.int64]
    inactive: npt.NDArray[np.bool_]
    owned: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mbi)

    def __repr__(self) -> str:
        return f"ObservedColumns(n={len(self)})"


NO_CLAIMS = ClaimColumns(
    np.empty(0, np.uint64),
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0, np.uint8),
    np.empty(0, np.bool_),
)

Columns = TypeVar("Columns", ClaimColumns, ObservedColumns)

_CLAIMS = {
    "mbi": Column(np.uint64, rising=True),
    "delivery": Column(np.int32),
    "line": Column(np.int32),
    "evidence_at": Column(np.int64),
    "absences": Column(np.uint8),
    "ended": Column(np.bool_),
}
_OBSERVED = {
    "patient_id": Column(np.uint8, raw=_ID_BYTES),
    "mbi": Column(np.uint64),
    "start_at": Column(np.int64),
    "end_at": Column(np.int64),
    "inactive": Column(np.bool_),
    "owned": Column(np.bool_),
}
"""Of the ends the bytes hold how long after the start they are, modulo 2**64: periods of one length take none."""
_TAKE_CLAIMS, _TAKE_OBSERVED = attrgetter(*_CLAIMS), attrgetter(*_OBSERVED)


def build_claim_columns(claims: Iterable[Claim]) -> ClaimColumns:
    """Build the columns of claims, in the order of their MBIs. Times lose what is finer than a second."""
    rows = sorted(claims, key=lambda claim: claim.mbi)
    return ClaimColumns(
        _pack(claim.mbi for claim in rows),
        np.array([claim.delivery for claim in rows], np.int32),
        np.array([claim.line for claim in rows], np.int32),
        _to_seconds(claim.evidence_at for claim in rows),
        np.array([min(claim.absences, 255) for claim in rows], np.uint8),
        np.array([claim.ended for claim in rows], np.bool_),
    )


def read_claims(columns: ClaimColumns) -> tuple[Claim, ...]:
    """Read columns as claims."""
    return tuple(
        Claim(unpack_mbi(mbi), delivery, line, _to_time(evidence_at), absences, ended)
        for mbi, delivery, line, evidence_at, absences, ended in zip(
            columns.mbi.tolist(),
            columns.delivery.tolist(),
            columns.line.tolist(),
            columns.evidence_at.tolist(),
            columns.absences.tolist(),
            columns.ended.tolist(),
            strict=True,
        )
    )


def build_observed_columns(attributions: Iterable[Attribution]) -> ObservedColumns:
    """Build the columns of attributions, in the order of their patient ids (UUIDs; ValueError for anything else)."""
    rows = sorted(attributions, key=lambda attribution: UUID(attribution.patient_id).bytes)
    ids = b"".join(UUID(attribution.patient_id).bytes for attribution in rows)
    return ObservedColumns(
        np.frombuffer(ids, np.uint8).reshape(-1, _ID_BYTES),
        _pack(attribution.mbi for attribution in rows),
        _to_seconds(attribution.start_at for attribution in rows),
        _to_seconds(attribution.end_at for attribution in rows),
        np.array([attribution.inactive for attribution in rows], np.bool_),
        np.array([attribution.owned for attribution in rows], np.bool_),
    )


def read_attributions(columns: ObservedColumns) -> tuple[Attribution, ...]:
    """Read columns as attributions."""
    ids = columns.patient_id.tobytes()
    return tuple(
        Attribution(
            str(UUID(bytes=ids[at * _ID_BYTES : (at + 1) * _ID_BYTES])),
            None if mbi == UNKNOWN_MBI else unpack_mbi(mbi),
            _to_time(start_at),
            _to_time(end_at),
            inactive,
            owned,
        )
        for at, (mbi, start_at, end_at, inactive, owned) in enumerate(
            zip(
                columns.mbi.tolist(),
                columns.start_at.tolist(),
                columns.end_at.tolist(),
                columns.inactive.tolist(),
                columns.owned.tolist(),
                strict=True,
            )
        )
    )


def encode_claims(columns: ClaimColumns) -> bytes:
    """Write claims in the layout of `panel_body`, in the order of the packed MBIs."""
    return encode_each_claims([columns])[0]


def encode_each_claims(panels: Sequence[ClaimColumns]) -> list[bytes]:
    """Answer `encode_claims` of each, many times faster than one by one."""
    layout = [*_CLAIMS.values()]
    try:
        return write_bodies(layout, [_TAKE_CLAIMS(columns) for columns in panels])
    except NotRising:
        in_order = [_sort(columns, np.argsort(columns.mbi, kind="stable")) for columns in panels]
        return write_bodies(layout, [_TAKE_CLAIMS(columns) for columns in in_order])


def decode_claims(body: bytes) -> ClaimColumns:
    """Read claims from what `encode_claims` wrote, now or as an Arrow stream before; raises StorageError."""
    if is_stream(body):
        return ClaimColumns(**read_stream(body, {name: column.kind for name, column in _CLAIMS.items()}))
    return ClaimColumns(*read_body([*_CLAIMS.values()], body))


def encode_observed(columns: ObservedColumns) -> bytes:
    """Write attributions in the layout of `panel_body`, in the order of the patient ids."""
    ids = np.ascontiguousarray(columns.patient_id, np.uint8).reshape(-1, _ID_BYTES)
    order = np.argsort(ids.view(f"S{_ID_BYTES}").ravel(), kind="stable")
    written = _sort(columns, order)
    written = replace(written, end_at=written.end_at - written.start_at)
    return write_bodies([*_OBSERVED.values()], [_TAKE_OBSERVED(written)])[0]


def decode_observed(body: bytes) -> ObservedColumns:
    """Read attributions from what `encode_observed` wrote, now or as an Arrow stream before; raises StorageError."""
    if is_stream(body):
        return ObservedColumns(**read_stream(body, {name: column.kind for name, column in _OBSERVED.items()}))
    read = ObservedColumns(*read_body([*_OBSERVED.values()], body))
    return replace(read, end_at=read.end_at + read.start_at)


def are_same(one: Columns, other: Columns) -> bool:
    """Answer whether two panels hold the same elements in the same order."""
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(type(one)))


def _sort(columns: Columns, order: npt.NDArray[np.intp]) -> Columns:
    return type(columns)(*(getattr(columns, field.name)[order] for field in fields(type(columns))))


def _pack(mbis: Iterable[str | None]) -> npt.NDArray[np.uint64]:
    return np.array([UNKNOWN_MBI if mbi is None else pack_mbi(mbi) for mbi in mbis], np.uint64)


def _to_seconds(times: Iterable[datetime]) -> npt.NDArray[np.int64]:
    seconds: Sequence[int] = [(time - _EPOCH) // timedelta(seconds=1) for time in times]
    return np.array(seconds, np.int64)


def _to_time(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
