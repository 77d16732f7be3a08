"""Bodies of panels: columns of whole numbers in as few bytes as they need, in a versioned layout of our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from service.storage.errors import StorageError

# The layout. Numbers are little-endian, as those of the machine must be; n counts the elements of a panel. An empty
# panel ends after its n.
#
#   version (1 byte), number of columns (1), n (4)
#   of each column: coding (1), width w (1), least (8, modulo 2**64)
#   of each column its values, one column after the other:
#     RAW     n times w bytes as they are
#     EVEN    n distances from the least, w bytes each; none where w is 0: all are the least then
#     RISING  n distances from the element before (of the first: 0), w bytes each; the first is the least
#     MOSTLY  how many differ from what most share, m (4); the distance of what they share from the least (8); of each
#             that differs the place, in as many bytes as n - 1 takes, and the distance from the least, in w bytes
#     BITS    of flags one bit each, the highest first, up to a full byte
VERSION = 1
"""The first byte of a body; the form before this layout, an Arrow stream, begins with 0xFF."""
MOST_ELEMENTS = 1 << 24
"""Far more than any practitioner treats; a damaged number of elements must not take all memory there is."""
RAW, EVEN, RISING, MOSTLY, BITS = range(5)
_HEAD = Struct("<BBI")
_OF_COLUMN = Struct("<BBQ")
_OF_COLUMN_FIELDS = (("coding", "u1"), ("width", "u1"), ("least", "<u8"))
_MOSTLY = Struct("<IQ")
_MOSTLY_FIELDS = np.dtype([("differing", "<u4"), ("shared", "<u8")])
_LARGEST = np.array([(1 << 8 * width) - 1 for width in range(8)], np.uint64)
"""The largest number that 0, 1, ... 7 bytes hold."""
_SAMPLES = np.array([1, 4, 6, 9, 13])
"""Sixteenths of the way through a panel, in no rhythm that rosters have."""
_BYTES = [np.dtype(f"V{width}") for width in range(9)]
_UNSIGNED = {width: np.dtype(f"<u{width}") for width in (1, 2, 4, 8)}

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.unsignedinteger[Any]]
Sizes = npt.NDArray[np.intp]
Bounds = list[tuple[int, int]]
Pieces = Sequence[bytes | memoryview]


class NotRising(ValueError):
    """A rising column is not in order."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: numbers or flags, `rising` numbers (in order, below 2**63), or so many `raw` bytes each."""

    kind: type[np.generic]
    rising: bool = False
    raw: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Panels:
    """Where several panels start and end in columns that hold all of them, and how many elements each has."""

    starts: Sizes
    sizes: Sizes
    bounds: Bounds


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """One column of several panels: the coding, width and least in each, and its values there in one piece or more."""

    coding: Array | int
    width: Array | int
    least: Array | int
    pieces: list[Pieces]


def write_bodies(layout: Sequence[Column], panels: Sequence[Sequence[Array]]) -> list[bytes]:
    """Write the columns of each panel; what is written of one does not depend on the others.

    They are coded together, since a call of numpy costs more than its work on one panel. Raises NotRising, and
    ValueError when columns differ in length or have more than MOST_ELEMENTS.
    """
    filled = [panel for panel in panels if len(panel[0])]
    bodies = iter(_write_filled(layout, filled) if filled else [])
    empty = _HEAD.pack(VERSION, len(layout), 0)
    return [next(bodies) if len(panel[0]) else empty for panel in panels]


def read_body(layout: Sequence[Column], body: bytes) -> list[Array]:
    """Read the columns of one panel. Raises StorageError when the body is damaged, incomplete or in another layout."""
    if body[:1] != bytes([VERSION]):
        refuse_body("its layout is unknown to this program")
    source = _Source(body)
    _, columns, n = _HEAD.unpack(source.take(_HEAD.size))
    if columns != len(layout) or n > MOST_ELEMENTS:
        refuse_body("its head does not fit")
    if n == 0:
        source.check_end()
        return [np.empty((0, column.raw) if column.raw else 0, column.kind) for column in layout]
    heads = _OF_COLUMN.iter_unpack(source.take(columns * _OF_COLUMN.size))
    read = [_read_column(column, head, n, source) for column, head in zip(layout, heads, strict=True)]
    source.check_end()
    return read


def refuse_body(reason: str) -> NoReturn:
    """Raise the StorageError of a body that cannot be read."""
    raise StorageError(
        f"The stored body of a panel cannot be read: {reason}.",
        next_action="Run the newest version of the program; if it stays so, restore the database from a backup.",
    )


def _write_filled(layout: Sequence[Column], panels: Sequence[Sequence[Array]]) -> list[bytes]:
    sizes = np.array([len(panel[0]) for panel in panels], np.intp)
    if int(sizes.max()) > MOST_ELEMENTS:
        raise ValueError(f"a panel has at most {MOST_ELEMENTS} elements")
    ends = sizes.cumsum()
    starts = ends - sizes
    parts = _Panels(starts, sizes, list(zip(starts.tolist(), ends.tolist(), strict=True)))
    heads = np.zeros(len(panels), _name_heads(len(layout)))
    heads["version"], heads["columns"], heads["n"] = VERSION, len(layout), sizes
    pieces = []
    for place, (column, arrays) in enumerate(zip(layout, zip(*panels, strict=True), strict=True)):
        values = np.concatenate(arrays, dtype=column.kind, casting="unsafe")
        if len(values) != ends[-1]:
            raise ValueError("the columns of a panel are not of one length")
        coded = _code_column(column, values, parts)
        heads[f"coding{place}"], heads[f"width{place}"], heads[f"least{place}"] = coded.coding, coded.width, coded.least
        pieces += coded.pieces
    return [b"".join(each) for each in zip(_cut_evenly(heads.tobytes(), heads.itemsize), *pieces, strict=True)]


@cache
def _name_heads(columns: int) -> np.dtype[np.void]:
    """Name the fields of `_HEAD` and, for each column, of `_OF_COLUMN`."""
    of_columns = [(f"{name}{at}", kind) for at in range(columns) for name, kind in _OF_COLUMN_FIELDS]
    return np.dtype([("version", "u1"), ("columns", "u1"), ("n", "<u4"), *of_columns])


def _code_column(column: Column, values: Array, parts: _Panels) -> _Coded:
    if column.raw:
        raw = values.tobytes()
        return _Coded(RAW, column.raw, 0, [[raw[a * column.raw : b * column.raw] for a, b in parts.bounds]])
    return _code_rising(values, parts) if column.rising else _code_numbers(values, parts)


def _code_rising(values: Array, parts: _Panels) -> _Coded:
    numbers = _to_numbers(values)
    steps = numbers.copy()
    steps[1:] -= numbers[:-1]
    steps[parts.starts] = 0
    most = np.maximum.reduceat(steps, parts.starts)
    if int(most.max()) >> 63:  # where it falls, the distance has come round
        raise NotRising("a rising column is not in order")
    width = _count_bytes(most)
    return _Coded(RISING, width, numbers[parts.starts], [_narrow(steps, parts.bounds, width)])


def _code_numbers(values: Array, parts: _Panels) -> _Coded:
    """Code each panel as EVEN (flags: BITS) or as MOSTLY, whichever takes fewer bytes."""
    is_flags = values.dtype == np.bool_
    lowest, highest = _find_limits(values.view(np.uint8) if is_flags else values, parts)
    numbers: Numbers = values.view(_UNSIGNED[values.itemsize])  # in which distances come out right, whatever the sign
    least = lowest.view(numbers.dtype)
    width = _count_bytes(highest.view(numbers.dtype) - least)
    if not width.any():
        return _Coded(EVEN, 0, _to_numbers(lowest), [])
    even_bytes = (parts.sizes + 7) // 8 if is_flags else parts.sizes * width
    is_mostly, pieces = _code_mostly(numbers, parts, least, width, even_bytes)
    if is_mostly.all():
        return _Coded(MOSTLY, width, _to_numbers(lowest), pieces)
    coding = np.where(is_mostly, MOSTLY, EVEN)
    if is_flags:
        coding[(width > 0) & ~is_mostly], width = BITS, width * is_mostly
        pieces.append(_write_bits(numbers, parts, coding == BITS))
    else:
        distances = numbers - least.repeat(parts.sizes)
        pieces.append(_narrow(distances, parts.bounds, np.where(is_mostly, 0, width)))
    return _Coded(coding, width, _to_numbers(lowest), pieces)


def _find_limits(values: Array, parts: _Panels) -> tuple[Array, Array]:
    return np.minimum.reduceat(values, parts.starts), np.maximum.reduceat(values, parts.starts)


def _code_mostly(
    numbers: Numbers, parts: _Panels, least: Numbers, width: Sizes, even_bytes: Sizes
) -> tuple[npt.NDArray[np.bool_], list[Pieces]]:
    """Answer which panels take fewer bytes as MOSTLY, and the pieces of these.

    What most elements share is the middle one of some of them, if others of these agree; a wrong guess costs bytes and
    no more.
    """
    some = np.sort(numbers[parts.starts[:, None] + parts.sizes[:, None] * _SAMPLES // 16])
    shared = some[:, len(_SAMPLES) // 2]
    place_width = _count_bytes(parts.sizes - 1)
    both = place_width + width
    agree = (some == shared[:, None]).sum(axis=1) > len(_SAMPLES) // 4
    is_mostly = agree & (width > 0) & (both <= 8)
    if not is_mostly.any():
        return is_mostly, []
    places = (numbers != shared.repeat(parts.sizes)).nonzero()[0]
    begins, ends = places.searchsorted(parts.starts), places.searchsorted(parts.starts + parts.sizes)
    differing = ends - begins
    is_mostly &= _MOSTLY.size + differing * both < even_bytes
    heads = np.empty(len(differing), _MOSTLY_FIELDS)
    heads["differing"], heads["shared"] = differing, shared - least
    cut = zip(_cut_evenly(heads.tobytes(), _MOSTLY.size), is_mostly.tolist(), strict=True)
    relative = (places - parts.starts.repeat(differing)).view(np.uint64)
    distances = _to_numbers(numbers[places] - least.repeat(differing))
    pairs = relative | distances << (8 * place_width).astype(np.uint64).repeat(differing)
    bounds = list(zip(begins.tolist(), ends.tolist(), strict=True))
    return is_mostly, [[head if it_is else b"" for head, it_is in cut], _narrow(pairs, bounds, both * is_mostly)]


def _write_bits(flags: Numbers, parts: _Panels, chosen: npt.NDArray[np.bool_]) -> list[bytes]:
    chosen_bounds = zip(parts.bounds, chosen.tolist(), strict=True)
    return [np.packbits(flags[a:b]).tobytes() if is_chosen else b"" for (a, b), is_chosen in chosen_bounds]


def _narrow(numbers: Numbers, bounds: Bounds, widths: Sizes) -> Pieces:
    """Answer the numbers between each pair of bounds in their width; nothing where it is 0."""
    wanted: list[int] = widths.tolist()
    raw = {width: memoryview(_view_low_bytes(numbers, width).tobytes() if width else b"") for width in {*wanted}}
    return [raw[width][a * width : b * width] for (a, b), width in zip(bounds, wanted, strict=True)]


def _view_low_bytes(numbers: Numbers, width: int) -> Array:
    """View the low bytes of each number as one element, which numpy copies several times faster than bytes."""
    return np.ndarray(len(numbers), _BYTES[width], numbers, 0, numbers.strides)


def _cut_evenly(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _count_bytes(most: Array) -> Sizes:
    """Answer how many bytes each number takes; 0 takes none."""
    return _LARGEST.searchsorted(_to_numbers(most))


def _to_numbers(values: Array) -> npt.NDArray[np.uint64]:
    """Answer whole numbers modulo 2**64."""
    return values.astype(np.int64).view(np.uint64) if values.dtype.kind == "i" else values.astype(np.uint64)


class _Source:
    """The bytes of a body, taken from the front; whoever takes more than there is gets the refusal."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._body):
            refuse_body("it ends too early")
        taken, self._at = self._body[self._at : end], end
        return taken

    def take_numbers(self, n: int, width: int) -> Numbers:
        raw = self.take(n * width)
        if width in _UNSIGNED:
            return np.frombuffer(raw, _UNSIGNED[width]).astype(np.uint64)
        numbers = np.zeros(n, np.uint64)
        if width:
            _view_low_bytes(numbers, width)[:] = np.frombuffer(raw, _BYTES[width])
        return numbers

    def check_end(self) -> None:
        if self._at != len(self._body):
            refuse_body("it does not end where it should")


def _read_column(column: Column, head: tuple[int, int, int], n: int, source: _Source) -> Array:
    coding, width, least = head
    if column.raw:
        if head != (RAW, column.raw, 0):
            refuse_body("its raw bytes have another width")
        return np.frombuffer(source.take(n * width), np.uint8).reshape(n, width)
    if column.kind is np.bool_ and head == (BITS, 0, 0):
        bits = np.frombuffer(source.take((n + 7) // 8), np.uint8)
        return np.unpackbits(bits, count=n).view(np.bool_)
    if width > 8 or coding not in ((RISING,) if column.rising else (EVEN, MOSTLY)):
        refuse_body("a column is coded in an unknown way")
    if coding == RISING:
        return _restore(column.kind, _read_rising(n, width, source), n * _find_largest(width), least)
    distances = source.take_numbers(n, width) if coding == EVEN else _read_mostly(n, width, source)
    return _restore(column.kind, distances, _find_largest(width), least)


def _find_largest(width: int) -> int:
    return (1 << 8 * width) - 1


def _read_rising(n: int, width: int, source: _Source) -> npt.NDArray[np.uint64]:
    """Answer distances from the first element."""
    steps = source.take_numbers(n, width)
    if (n * _find_largest(width)) >> 64 and sum(steps.tolist()) >> 64:
        refuse_body("it holds a number that is too large")
    return steps.cumsum()


def _read_mostly(n: int, width: int, source: _Source) -> npt.NDArray[np.uint64]:
    differing, shared = _MOSTLY.unpack(source.take(_MOSTLY.size))
    place_width = ((n - 1).bit_length() + 7) // 8
    if place_width + width > 8 or shared > _find_largest(width):
        refuse_body("a column is coded in an unknown way")
    pairs = source.take_numbers(differing, place_width + width)
    places = (pairs & np.uint64(_find_largest(place_width))).view(np.int64)
    if differing and int(places.max()) >= n:
        refuse_body("it has more elements than it says")
    distances = np.empty(n, np.uint64)
    distances.fill(shared)
    distances[places] = pairs >> np.uint64(8 * place_width)
    return distances


def _restore(kind: type[np.generic], distances: npt.NDArray[np.uint64], most: int, least: int) -> Array:
    """Add the least to distances that their width limits to `most`, and make sure that the type holds the sums."""
    lowest, highest = _BOUNDS[kind]
    signed = least - (1 << 64) if lowest < 0 and least >> 63 else least
    if signed < lowest or (signed + most > highest and signed + int(distances.max()) > highest):
        refuse_body("it holds a number that is too large")
    distances += np.uint64(least)
    return distances.view(np.int64 if lowest < 0 else np.uint64).astype(kind, copy=False)


_BOUNDS: dict[type[np.generic], tuple[int, int]] = {
    np.bool_: (0, 1),
    np.uint8: (0, (1 << 8) - 1),
    np.int32: (-(1 << 31), (1 << 31) - 1),
    np.int64: (-(1 << 63), (1 << 63) - 1),
    np.uint64: (0, (1 << 64) - 1),
}
