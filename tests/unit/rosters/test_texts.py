"""Pieces of a file hold whole lines, in order and complete, and say truly what is in them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.identifiers import Environment
from service.rosters.delimited import texts
from service.rosters.delimited.table import TableBroken
from service.rosters.delimited.texts import BLOCK_BYTES, FEW_PLACES, Cut, Declined, Desk, Text, iter_cuts
from service.rosters.limits import MAX_FIELD
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=30)


def build_text(content: bytes) -> Text:
    return Text(content, len(content))


@settings(deadline=None)
@given(lines=LINES, size=st.integers(40, 90), is_ended=st.booleans())
def test_pieces_are_the_whole_file_cut_at_line_ends(lines: list[bytes], size: int, is_ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if is_ended else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE_BYTES", size)
        cuts = list(iter_cuts(io.BytesIO(content)))
        desk = Desk(io.BytesIO(content))
        pieces = [desk.take(cut).view.tobytes() for cut in cuts]
    assert b"".join(pieces) == content
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])


def test_cuts_begin_where_the_stream_stands() -> None:
    stream = io.BytesIO(b"heading\nrow\n")
    stream.readline()
    assert list(iter_cuts(stream)) == [Cut(8, 4)]


@pytest.mark.parametrize(("filler", "wanted"), [(b"x", TableBroken), (b"x\r", Declined)])
def test_a_line_longer_than_a_piece_is_not_cut(filler: bytes, wanted: type[Exception]) -> None:
    content = filler * (texts.PIECE_BYTES * 2 // len(filler) + 5)
    with pytest.raises(wanted):
        list(iter_cuts(io.BytesIO(content)))


def test_a_file_that_shrank_is_left_to_the_careful_way() -> None:
    for size in (10, texts.PIECE_BYTES + 10):
        with pytest.raises(Declined):
            Desk(io.BytesIO(b"a,b\n")).take(Cut(0, size))


def test_a_desk_gives_each_piece_its_own_size() -> None:
    content = b"a" * texts.PIECE_BYTES + b"\nbc\n"
    desk = Desk(io.BytesIO(content))
    assert desk.take(Cut(0, texts.PIECE_BYTES + 1)).size == texts.PIECE_BYTES + 1
    second = desk.take(Cut(texts.PIECE_BYTES + 1, 3))
    assert (second.view.tobytes(), second.line_count, second.take_line(0)) == (b"bc\n", 1, b"bc")
    assert second.find_places(b"a").tolist() == []


@settings(deadline=None)
@given(lines=LINES, is_ended=st.booleans())
def test_lines_are_counted_and_taken(lines: list[bytes], is_ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if is_ended or not lines[-1] else b"")
    text = build_text(content)
    assert text.line_count == content.removesuffix(b"\n").count(b"\n") + 1
    assert [text.take_line(line) for line in range(len(lines) - 1)] == lines[:-1]


@pytest.mark.parametrize("length", [MAX_FIELD - 1, MAX_FIELD, MAX_FIELD + 1, BLOCK_BYTES + 7])
@pytest.mark.parametrize("before", [0, 1, MAX_FIELD // 2 - 1, MAX_FIELD, BLOCK_BYTES - 5])
@pytest.mark.parametrize("end", [b"", b"\n", b"\nlast"])
def test_every_line_longer_than_a_cell_is_found_wherever_it_lies(length: int, before: int, end: bytes) -> None:
    short = (b"s" * 99 + b"\n") * (before // 100) + b"\n" * (before % 100)
    found = [len(line) for line in build_text(short + b"x" * length + end).iter_long_lines()]
    assert found == ([length] if length > MAX_FIELD else [])


@pytest.mark.parametrize("count", [0, 1, FEW_PLACES, FEW_PLACES + 1, FEW_PLACES * 3])
def test_places_of_a_byte_are_found_few_or_many(count: int) -> None:
    content = b"ab" + b'x"y' * count + b"z"
    wanted = np.flatnonzero(np.frombuffer(content, np.uint8) == ord('"'))
    assert build_text(content).find_places(b'"').tolist() == wanted.tolist()


def test_what_lies_in_the_buffer_behind_a_piece_is_not_seen() -> None:
    text = Text(bytearray(b'"a"\n"c"\n'), 4)
    assert (text.line_count, text.find_places(b'"').tolist(), text.size) == (1, [0, 2], 4)


def test_a_table_of_many_pieces_is_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f'1S{place % 10}0E00AA{place // 10:02d},3905293015,"Doe, {place}"\n' for place in range(900)]
    rows[500] = "short,3905293015,x\n"
    rows[700] = "1S00E00AA00,3905293015\n"
    path = tmp_path / "roster.csv"
    path.write_text("mbi,npi,last name\n" + "".join(rows), encoding="utf-8")
    whole = check_roster(path, RosterOptions(Environment.SANDBOX))
    monkeypatch.setattr(texts, "PIECE_BYTES", 1_000)
    assert check_roster(path, RosterOptions(Environment.SANDBOX)) == whole
    assert whole["errors"] == [[502, "mbi_length"], [702, "ragged_row"]]
