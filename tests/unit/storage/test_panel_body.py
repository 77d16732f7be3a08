"""Bodies of panels keep every number in few bytes, say the same beside any other, and refuse to be read wrongly."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.storage.errors import StorageError
from service.storage.panel_body import MOST_ELEMENTS, Column, NotRising, read_body, write_bodies

Array = npt.NDArray[Any]
Panel = list[Array]

LAYOUT = [
    Column(np.uint8, raw=3),
    Column(np.uint64, rising=True),
    Column(np.uint64),
    Column(np.int64),
    Column(np.int32),
    Column(np.uint8),
    Column(np.bool_),
]
NUMBERS = LAYOUT[2:]


def draw_numbers(draw: st.DrawFn, n: int, low: int, high: int) -> list[int]:
    """Numbers over all of a range, close together, or nearly all the same."""
    narrow = draw(st.integers(low, high))
    spread = st.integers(narrow, min(high, narrow + draw(st.sampled_from([0, 1, 255, 256, 70_000]))))
    some = draw(st.lists(st.one_of(spread, st.integers(low, high)) if draw(st.booleans()) else spread, max_size=n))
    numbers = draw(st.permutations([*some, *[narrow] * (n - len(some))]))
    return list(numbers)


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    n = draw(st.sampled_from([0, 1, 2, 3, 7, 8, 9, 40, 300]))
    few = min(n, 40)
    padding = n - few
    raw = np.frombuffer(draw(st.binary(min_size=3 * few, max_size=3 * few)) + bytes(3 * padding), np.uint8)
    columns: Panel = [raw.reshape(-1, 3), np.sort(np.array(_pad(draw_numbers(draw, few, 0, 2**63 - 1), n), np.uint64))]
    for kind in (np.uint64, np.int64, np.int32, np.uint8):
        limits = np.iinfo(kind)
        columns.append(np.array(_pad(draw_numbers(draw, few, int(limits.min), int(limits.max)), n), kind))
    columns.append(np.array(_pad(draw_numbers(draw, few, 0, 1), n), np.bool_))
    return columns


def _pad(numbers: list[int], n: int) -> list[int]:
    return numbers + numbers[:1] * (n - len(numbers))


def check_same(read: Panel, written: Panel) -> None:
    for one, other in zip(read, written, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()


@settings(deadline=None)  # the first example pays for what is loaded late
@given(st.lists(panels(), max_size=5))
def test_panels_survive_together_as_they_do_alone(several: list[Panel]) -> None:
    bodies = write_bodies(LAYOUT, several)
    for body, panel in zip(bodies, several, strict=True):
        assert write_bodies(LAYOUT, [panel]) == [body]
        check_same(read_body(LAYOUT, body), panel)


def build_panel(n: int) -> Panel:
    """A panel that is coded in all five ways."""
    rng = np.random.default_rng(n)
    mostly = np.where(np.arange(n) % 50 == 20, -7, 2**40)
    return [
        rng.integers(0, 256, (n, 3), np.uint8),
        np.sort(rng.integers(0, 2**46, n, np.uint64)),
        rng.integers(2**63, 2**63 + 2**24, n, np.uint64),
        mostly,
        rng.integers(-5, 2**31 - 1, n, np.int32),
        np.where(np.arange(n) % 50 == 30, 2, 0).astype(np.uint8),
        rng.random(n) < 0.5,
    ]


def test_a_panel_that_is_coded_in_every_way_survives() -> None:
    panel = build_panel(500)
    (body,) = write_bodies(LAYOUT, [panel])
    check_same(read_body(LAYOUT, body), panel)
    assert [body[6 + 10 * at] for at in range(len(LAYOUT))] == [0, 2, 1, 3, 1, 3, 4]


def test_the_layout_stays_what_it_was() -> None:
    panel: Panel = [
        np.array([[1, 2, 3]] * 9, np.uint8),
        np.array([70_000, 70_001, *[70_259] * 7], np.uint64),
        np.full(9, 2**64 - 1, np.uint64),
        np.array([-2, 0, -1, 253, -2, -2, 7, 1, 5]),
        np.array([*[5] * 8, 5 + 2**24], np.int32),
        np.array([3, *[4] * 8], np.uint8),
        np.array([True, False] * 4 + [True]),
    ]
    head = "01 07 09000000"
    columns = (
        "00 03 0000000000000000 02 02 7011010000000000 01 00 ffffffffffffffff 01 01 feffffffffffffff"
        "03 04 0500000000000000 01 01 0300000000000000 04 00 0000000000000000"
    )
    values = (
        "010203 010203 010203 010203 010203 010203 010203 010203 010203"
        "0000 0100 0201 0000 0000 0000 0000 0000 0000"
        "00 02 01 ff 00 00 09 03 07"
        "01000000 0000000000000000 08 00000001"
        "00 01 01 01 01 01 01 01 01"
        "aa80"
    )
    (body,) = write_bodies(LAYOUT, [panel])
    assert body.hex(" ") == bytes.fromhex(head + columns + values).hex(" ")
    check_same(read_body(LAYOUT, body), panel)


def test_an_empty_panel_is_a_head_and_nothing_more() -> None:
    empty = [panel[:0] for panel in build_panel(1)]
    assert write_bodies(LAYOUT, [empty]) == [bytes.fromhex("01 07 00000000")]
    assert write_bodies(LAYOUT, []) == []
    check_same(read_body(LAYOUT, bytes.fromhex("01 07 00000000")), empty)


def test_a_rising_column_that_falls_is_refused() -> None:
    falling = [np.array([1, 3, 2], np.uint64)]
    rising = [np.array([4, 5, 5], np.uint64)]
    write_bodies(LAYOUT[1:2], [rising, rising])
    with pytest.raises(NotRising):
        write_bodies(LAYOUT[1:2], [rising, falling])


def test_columns_of_several_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        write_bodies(NUMBERS[:2], [[np.zeros(3, np.uint64), np.zeros(2, np.int64)]])


def test_more_elements_than_any_panel_has_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        write_bodies([Column(np.bool_)], [[np.zeros(MOST_ELEMENTS + 1, np.bool_)]])
    body = bytearray(write_bodies([Column(np.bool_)], [[np.zeros(1, np.bool_)]])[0])
    body[2:6] = (MOST_ELEMENTS + 1).to_bytes(4, "little")
    with pytest.raises(StorageError):
        read_body([Column(np.bool_)], bytes(body))


def test_values_of_which_nearly_all_are_equal_take_next_to_nothing() -> None:
    common = np.full(500, 1_790_000_000)
    common[::50] -= np.arange(10) * 86_400 + 86_400
    assert len(write_bodies([Column(np.int64)], [[common]])[0]) < 100


@pytest.mark.parametrize("n", [0, 1, 9, 300])
def test_a_body_of_any_other_length_is_refused(n: int) -> None:
    (body,) = write_bodies(LAYOUT, [build_panel(n)])
    for end in range(len(body)):
        with pytest.raises(StorageError):
            read_body(LAYOUT, body[:end])
    with pytest.raises(StorageError):
        read_body(LAYOUT, body + b"\0")


@pytest.mark.parametrize("place", range(2))
@pytest.mark.parametrize("value", [0, 2, 6, 254, 255])
def test_another_version_or_number_of_columns_is_refused(place: int, value: int) -> None:
    body = bytearray(write_bodies(LAYOUT, [build_panel(9)])[0])
    body[place] = value
    with pytest.raises(StorageError, match="cannot be read"):
        read_body(LAYOUT, bytes(body))


@pytest.mark.parametrize("n", [3, 120])
def test_whatever_byte_is_damaged_a_body_is_read_whole_or_refused(n: int) -> None:
    (body,) = write_bodies(LAYOUT, [build_panel(n)])
    refused = 0
    for place in range(len(body)):
        for value in (0, 1, 9, 127, 128, 255, body[place] ^ 1, body[place] ^ 64):
            damaged = bytes([*body[:place], value, *body[place + 1 :]])
            try:
                read = read_body(LAYOUT, damaged)
            except StorageError:
                refused += 1
            else:
                assert [len(column) for column in read] == [n] * len(LAYOUT)
                assert read[-1].view(np.uint8).max() <= 1
    assert refused > 0


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    for head in (b"", b"\x01\x05", bytes.fromhex("01 05 03000000"), bytes.fromhex("01 05 03000000 03 01")):
        with suppress(StorageError):
            read = read_body(NUMBERS, head + tail)
            assert len({len(column) for column in read}) == 1


@pytest.mark.parametrize(
    ("kind", "least", "width"),
    [
        (np.int32, 2**31 - 4, 1),
        (np.uint8, 250, 1),
        (np.bool_, 1, 1),
        (np.uint64, 2**64 - 5, 1),
        (np.int64, 2**63 - 5, 1),
    ],
)
def test_a_number_that_is_too_large_for_its_column_is_refused(kind: Any, least: int, width: int) -> None:
    head = bytes.fromhex("01 01 03000000 01") + bytes([width]) + least.to_bytes(8, "little")
    with pytest.raises(StorageError, match="too large"):
        read_body([Column(kind)], head + bytes([0, 9, 0]))


def test_steps_that_add_up_to_too_much_are_refused() -> None:
    head = bytes.fromhex("01 01 03000000 02 08") + bytes(8)
    with pytest.raises(StorageError, match="too large"):
        read_body([Column(np.uint64, rising=True)], head + bytes(8) + b"\xff" * 16)
