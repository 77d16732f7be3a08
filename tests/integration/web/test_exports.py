"""CSV that a spreadsheet cannot be tricked by, digests in headers, and how times are told."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import InvalidInput
from service.web.api.digests import read_digest
from service.web.exports import build_csv_answer, escape_cell, write_csv
from service.web.times import tell_distance, tell_size, tell_time

NOW = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_a_cell_that_would_run_as_a_formula_is_disarmed(start: str) -> None:
    assert escape_cell(f"{start}1+1") == f"'{start}1+1"


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    assert [escape_cell(cell) for cell in (-5, None, "a-b", True)] == ["-5", "", "a-b", "True"]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=2, max_size=2)))
def test_a_table_reads_back_as_it_was_written_but_for_the_apostrophes(rows: list[list[str]]) -> None:
    text = "".join(write_csv(("a", "b"), rows))
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["a", "b"], *([escape_cell(cell) for cell in row] for row in rows)]


def test_a_file_name_cannot_split_the_header() -> None:
    header = build_csv_answer('x"\r\nSet-Cookie: a', (), ()).headers["Content-Disposition"]
    assert header == 'attachment; filename="x---Set-Cookie--a.csv"'


def test_both_ways_to_declare_a_digest_are_read() -> None:
    digest = base64.b64encode(bytes(range(32))).decode()
    assert read_digest(f"md5=:AA==:, sha-256=:{digest}:", None) == bytes(range(32)).hex()
    assert read_digest(None, f"SHA-256={digest}") == bytes(range(32)).hex()
    assert read_digest("sha-512=:AA==:", None) is None
    assert read_digest(None, None) is None


@pytest.mark.parametrize("header", ["sha-256=AAAA", "sha-256=:!!!:", "sha-256=:AAAA:", "sha-256="])
def test_a_digest_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput):
        read_digest(header, None)


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(days=12, hours=3), "in 12 days"),
        (timedelta(days=1), "in 1 day"),
        (timedelta(hours=-3), "3 hours ago"),
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=-1), "1 minute ago"),
    ],
)
def test_a_moment_is_told_with_its_distance(span: timedelta, told: str) -> None:
    assert tell_distance(NOW + span, NOW) == told


def test_a_moment_is_told_in_utc() -> None:
    assert tell_time(NOW) == "2026-11-20 14:05 UTC"
    assert tell_time(None) == "–" and tell_distance(None, NOW) == ""


def test_sizes_are_told_in_binary_units() -> None:
    assert [tell_size(n) for n in (0, 1023, 1536, 64 * 1024**2, 3 * 1024**3)] == [
        "0 B", "1023 B", "1.5 KiB", "64.0 MiB", "3.0 GiB"
    ]  # fmt: skip
