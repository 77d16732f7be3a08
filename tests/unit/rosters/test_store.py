"""Rows put behind one another are the rows that came, whether or not they find room."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from service.rosters.columns.assemble import join_judged
from service.rosters.columns.evaluate import PRESENT, Judged
from service.rosters.columns.store import RowStore


def build_part(start: int, count: int, *, is_dated: bool) -> Judged:
    line = np.arange(start, start + count, dtype=np.int32)
    dates = (line % 3).astype(np.uint8) if is_dated else np.empty(0, np.uint8)
    verdict = np.full(count, PRESENT, np.uint8)
    return Judged(
        line,
        line.astype(np.uint64) * 7,
        line.astype(np.int64) + 5,
        verdict,
        dates,
        months_over_twelve=1,
        dead=line[:2].astype(np.uint64) * 7,
    )


def list_columns(rows: Judged) -> list[list[int]]:
    return [
        getattr(rows, one.name).tolist()
        for one in dataclasses.fields(rows)
        if isinstance(getattr(rows, one.name), np.ndarray)
    ]


@pytest.mark.parametrize("is_dated", [True, False])
@pytest.mark.parametrize("room", [60, 61, 59, 20, 0])
def test_parts_and_their_sum_stay_what_they_are(room: int, is_dated: bool) -> None:
    parts = [build_part(start, 20, is_dated=is_dated) for start in (0, 20, 40)]
    wanted = join_judged(parts)
    store = RowStore(parts[0], room)
    kept = [store.add(part) for part in parts]
    assert [list_columns(part) for part in kept] == [list_columns(part) for part in parts]
    whole = store.find_whole(kept)
    assert (whole is not None) == (room >= 60)
    assert list_columns(whole or join_judged(kept)) == list_columns(wanted)
    assert (whole or wanted).months_over_twelve == 3


def test_parts_that_found_room_are_not_held_twice() -> None:
    parts = [build_part(start, 20, is_dated=True) for start in (0, 20)]
    store = RowStore(parts[0], 100)
    kept = [store.add(part) for part in parts]
    whole = store.find_whole(kept)
    assert whole is not None
    assert all(np.shares_memory(whole.mbi, part.mbi) for part in kept)


def test_a_first_part_without_rows_leaves_the_others_as_they_are() -> None:
    store = RowStore(build_part(0, 0, is_dated=True), 100)
    part = build_part(1, 5, is_dated=True)
    assert store.add(part) is part
    assert store.find_whole([part]) is None
