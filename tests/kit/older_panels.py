"""Bodies of panels as versions before the layout of `panel_body` wrote them: Arrow streams, full width or narrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from service.storage.panel_codec import ClaimColumns, ObservedColumns


def write_full_width(columns: ClaimColumns) -> bytes:
    """Write the columns as they are."""
    return _write({name: pa.array(getattr(columns, name)) for name in columns.__slots__}, {})


def write_narrow(columns: ClaimColumns | ObservedColumns) -> bytes:
    """Write numbers as distances from the least, which stands beside, in as few bytes as the largest one needs."""
    arrays: dict[str, Any] = {}
    least: dict[str | bytes, str | bytes] = {}
    for name in columns.__slots__:
        array = getattr(columns, name)
        if array.ndim == 2:
            arrays[name] = _build_binary(array)
        elif array.dtype == np.bool_ or not len(array):
            arrays[name] = pa.array(array)
        else:
            low, high = int(array.min()), int(array.max())
            least[name] = str(low)
            width = ((high - low).bit_length() + 7) // 8
            distances = [(number - low).to_bytes(8, "little")[:width] for number in array.tolist()]
            if width:
                arrays[name] = _build_binary(np.frombuffer(b"".join(distances), np.uint8).reshape(-1, width))
    return _write(arrays, least)


def _build_binary(rows: Any) -> Any:
    kind = pa.binary(rows.shape[1])
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, pa.py_buffer(rows.tobytes())])


def _write(arrays: dict[str, Any], least: dict[str | bytes, str | bytes]) -> bytes:
    schema = pa.schema([pa.field(name, array.type) for name, array in arrays.items()], metadata=least or None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(arrays.values()), schema=schema))
    return bytes(sink.getvalue())
