"""Bodies of panels in their older form, an Arrow IPC stream: they are read for as long as versions in it are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.storage.panel_body import refuse_body

_BEGINNING = b"\xff\xff\xff\xff"


def is_stream(body: bytes) -> bool:
    """Answer whether a body is an Arrow stream, by its first bytes."""
    return body[: len(_BEGINNING)] == _BEGINNING


def read_stream(body: bytes, types: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Read columns, of the narrow form or of the one before, which holds all of them in full width.

    Raises StorageError when the body is damaged or has other columns.
    """
    try:
        return _read_columns(body, types)
    except (pa.ArrowException, OSError, StopIteration, LookupError, ValueError, OverflowError):
        refuse_body("its Arrow stream is damaged")


def _read_columns(body: bytes, types: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    batch = pa.ipc.open_stream(body).read_next_batch()
    batch.validate(full=True)
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


def _widen(narrow: npt.NDArray[np.uint8], low: int, kind: Any) -> npt.NDArray[Any]:
    """Add the smallest, which stands beside, to distances in as few bytes as the largest one needs."""
    wide = np.zeros((len(narrow), 8), np.uint8)
    wide[:, : narrow.shape[1]] = narrow
    found = wide.view("<u8").ravel().astype(kind)
    found += found.dtype.type(low)
    return found
