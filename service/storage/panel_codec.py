"""Panels as columns: numpy arrays, their sealed Arrow form, and the values of the rules, back and forth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.attribution import Attribution
from service.domain.identifiers import pack_mbi, unpack_mbi
from service.domain.roster import Claim

UNKNOWN_MBI = 0
"""Stands for a patient at DPC whom we cannot name; the text it would unpack to begins with 0, which no MBI does."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_BYTES = 16
_COUNTED = frozenset({"mbi", "delivery", "line", "evidence_at", "absences", "start_at", "end_at"})
"""Columns of whole numbers, which lie closer together than their types allow."""


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

_CLAIM_TYPES: dict[str, Any] = {
    "mbi": np.uint64,
    "delivery": np.int32,
    "line": np.int32,
    "evidence_at": np.int64,
    "absences": np.uint8,
    "ended": np.bool_,
}
_OBSERVED_TYPES: dict[str, Any] = {
    "patient_id": np.uint8,
    "mbi": np.uint64,
    "start_at": np.int64,
    "end_at": np.int64,
    "inactive": np.bool_,
    "owned": np.bool_,
}


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
    """Write claims as an Arrow IPC stream, in the order of the packed MBIs."""
    return _encode(_sort(columns, np.argsort(columns.mbi, kind="stable")), _CLAIM_TYPES)


def decode_claims(body: bytes) -> ClaimColumns:
    """Read claims from what `encode_claims` wrote."""
    return ClaimColumns(**_decode(body, _CLAIM_TYPES))


def encode_observed(columns: ObservedColumns) -> bytes:
    """Write attributions as an Arrow IPC stream, in the order of the patient ids."""
    ids = np.ascontiguousarray(columns.patient_id, np.uint8).reshape(-1, _ID_BYTES)
    order = np.argsort(ids.view(f"S{_ID_BYTES}").ravel(), kind="stable")
    return _encode(_sort(columns, order), _OBSERVED_TYPES)


def decode_observed(body: bytes) -> ObservedColumns:
    """Read attributions from what `encode_observed` wrote."""
    return ObservedColumns(**_decode(body, _OBSERVED_TYPES))


def are_same(one: Columns, other: Columns) -> bool:
    """Answer whether two panels hold the same elements in the same order."""
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(type(one)))


def _sort(columns: Columns, order: npt.NDArray[np.intp]) -> Columns:
    return type(columns)(*(getattr(columns, field.name)[order] for field in fields(type(columns))))


def _encode(columns: ClaimColumns | ObservedColumns, types: dict[str, Any]) -> bytes:
    """Write numbers as distances from the smallest, which stands beside, in as few bytes as the largest one needs."""
    arrays: dict[str, Any] = {}
    least: dict[bytes | str, bytes | str] = {}
    for name, kind in types.items():
        array = np.ascontiguousarray(getattr(columns, name), kind)
        if name in _COUNTED and len(array):
            low, high = int(array.min()), int(array.max())
            least[name] = str(low)
            if low == high:
                continue  # what all share stands beside, too, and needs no column
            array = _narrow(array, low, high)
        arrays[name] = _to_arrow(array)
    schema = pa.schema([pa.field(name, array.type) for name, array in arrays.items()], metadata=least or None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(arrays.values()), schema=schema))
    return bytes(sink.getvalue())


def _narrow(array: npt.NDArray[Any], low: int, high: int) -> npt.NDArray[np.uint8]:
    width = ((high - low).bit_length() + 7) // 8
    distances = (array - array.dtype.type(low)).astype("<u8")
    return np.ascontiguousarray(distances.view(np.uint8).reshape(-1, 8)[:, :width])


def _widen(narrow: npt.NDArray[np.uint8], low: int, kind: Any) -> npt.NDArray[Any]:
    wide = np.zeros((len(narrow), 8), np.uint8)
    wide[:, : narrow.shape[1]] = narrow
    found = wide.view("<u8").ravel().astype(kind)
    found += found.dtype.type(low)
    return found


def _to_arrow(array: npt.NDArray[Any]) -> Any:
    if array.ndim == 2:
        kind = pa.binary(array.shape[1])
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(array), [None, pa.py_buffer(array.tobytes())])
    return pa.array(array)


def _decode(body: bytes, types: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Read columns; bodies of before the narrow form hold all of them in full width, with no smallest beside."""
    batch = pa.ipc.open_stream(body).read_next_batch()
    least = {name.decode(): int(low) for name, low in (batch.schema.metadata or {}).items()}
    written = set(batch.schema.names)
    return {
        name: _to_numpy(batch.column(name), kind, least.get(name))
        if name in written
        else np.full(batch.num_rows, least[name], kind)
        for name, kind in types.items()
    }


def _to_numpy(array: Any, kind: Any, low: int | None) -> npt.NDArray[Any]:
    if not pa.types.is_fixed_size_binary(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False), kind)
    width = array.type.byte_width
    whole = np.frombuffer(array.buffers()[1], np.uint8, count=len(array) * width).reshape(-1, width)
    return whole if low is None else _widen(whole, low, kind)


def _pack(mbis: Iterable[str | None]) -> npt.NDArray[np.uint64]:
    return np.array([UNKNOWN_MBI if mbi is None else pack_mbi(mbi) for mbi in mbis], np.uint64)


def _to_seconds(times: Iterable[datetime]) -> npt.NDArray[np.int64]:
    seconds: Sequence[int] = [(time - _EPOCH) // timedelta(seconds=1) for time in times]
    return np.array(seconds, np.int64)


def _to_time(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
