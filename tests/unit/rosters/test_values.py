"""What dates, genders, actions and names mean, as tables."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.rosters.columns.dates import check_birth_dates
from service.rosters.columns.kernels import build_strings
from service.rosters.findings import CODES
from service.rosters.values import (
    find_action,
    find_gender,
    find_name,
    read_birth_date,
    read_event_date,
    split_whole_name,
)

BIRTH_DATES = [
    ("1943-06-08", date(1943, 6, 8), None),
    ("1943-06-08 00:00:00", date(1943, 6, 8), None),
    ("1943-06-08T23:30:00-10:00", date(1943, 6, 8), None),
    ("19430608", date(1943, 6, 8), None),
    ("6/8/1943", date(1943, 6, 8), None),
    ("06/08/1943", date(1943, 6, 8), None),
    ("06/08/43", date(1943, 6, 8), "dob_two_digit_year"),
    ("06/08/05", date(1905, 6, 8), "dob_two_digit_year"),
    ("08-JUN-1943", date(1943, 6, 8), None),
    ("8-jun-1943", date(1943, 6, 8), None),
    ("15866", date(1943, 6, 9), "dob_excel_serial"),
    ("15866.0", date(1943, 6, 9), "dob_excel_serial"),
    ("367", date(1901, 1, 1), "dob_excel_serial"),
    ("366", None, "dob_unparseable"),
    ("60000", None, "dob_unparseable"),
    ('="1943-06-08"', date(1943, 6, 8), None),
    ("'1943-06-08 ", date(1943, 6, 8), None),
    ("1944-02-29", date(1944, 2, 29), None),
    ("1943-02-29", None, "dob_unparseable"),
    ("1900-02-29", None, "dob_unparseable"),
    ("31/12/1940", None, "dob_unparseable"),
    ("June 8, 1943", None, "dob_unparseable"),
    ("\u0661943-06-08", None, "dob_unparseable"),
    ("#REF!", None, "dob_unparseable"),
    ("", None, None),
    ("  ", None, None),
    ("N/A", None, None),
    ("00/00/0000", None, None),
]


@pytest.mark.parametrize(("cell", "on", "code"), BIRTH_DATES)
def test_a_birth_date_is_read_in_every_accepted_shape(cell: str, on: date | None, code: str | None) -> None:
    reading = read_birth_date(cell)
    assert (reading.on, reading.code) == (on, code)


def test_a_column_of_birth_dates_earns_the_same_warnings() -> None:
    codes, over = check_birth_dates(build_strings([cell for cell, _, _ in BIRTH_DATES]))
    assert [CODES[code] or None for code in codes.tolist()] == [code for _, _, code in BIRTH_DATES]
    assert over == 1


DATE_CELLS = st.one_of(
    st.dates().map(str),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{2}/[0-9]{2}/[0-9]{4}", fullmatch=True),
    st.text(max_size=12),
    st.sampled_from(["99/99/9999", "9999-99-99", "99999999", "\u200e1943-06-08\u3000", "32/01/1943", "31/01/1943"]),
)


@settings(deadline=None)
@given(st.lists(DATE_CELLS, min_size=1, max_size=30))
def test_a_column_warns_exactly_where_a_cell_would(cells: list[str]) -> None:
    codes, over = check_birth_dates(build_strings(cells))
    readings = [read_birth_date(cell) for cell in cells]
    assert [CODES[code] for code in codes.tolist()] == [reading.code or "" for reading in readings]
    assert over == sum(reading.month_over_twelve for reading in readings)


def test_an_end_date_of_two_digits_lies_in_this_century() -> None:
    assert read_event_date("12/31/25").on == date(2025, 12, 31)


ACTIONS = [
    ("a", "present"), ("ADD", "present"), ("Added", "present"), ("new", "present"), ("I", "present"),
    ("C", "present"), ("changed", "present"), ("No Change", "present"), ("active", "present"),
    ("021", "present"), ("001", "present"), ("030", "present"), (" u ", "present"),
    ("D", "remove"), ("Delete", "remove"), ("removed", "remove"), ("TERM", "remove"), ("terminated", "remove"),
    ("dropped", "remove"), ("Inactive", "remove"), ("cancelled", "remove"), ("canceled", "remove"),
    ("024", "remove"),
    ("", None), (" ", None), ("X", None), ("24", None), ("yes", None), ("add remove", None),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "action"), ACTIONS)
def test_an_action_is_add_remove_or_unknown_and_never_a_guess(cell: str, action: str | None) -> None:
    assert find_action(cell) == action


GENDERS = [
    ("M", "male"), ("male", "male"), ("1", "male"), ("F", "female"), ("Female", "female"), ("2", "female"),
    ("O", "other"), ("U", "unknown"), ("unknown", "unknown"), ("", None), ("Z", None),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "code"), GENDERS)
def test_a_gender_becomes_a_fhir_code(cell: str, code: str | None) -> None:
    assert find_gender(cell) == code


WHOLE_NAMES = [
    ("Doe, Ann", ("Ann", "Doe")),
    ("Doe, Ann Marie", ("Ann", "Doe")),
    ("de la Cruz , Luz", ("Luz", "de la Cruz")),
    ("Ann Doe", (None, None)),
    ("Doe,", (None, "Doe")),
    ("", (None, None)),
    (None, (None, None)),
]


@pytest.mark.parametrize(("cell", "parts"), WHOLE_NAMES)
def test_a_whole_name_is_split_at_its_comma_only(cell: str | None, parts: tuple[str | None, str | None]) -> None:
    assert split_whole_name(cell) == parts


def test_a_name_loses_invisible_characters_but_na_stays_a_surname() -> None:
    assert find_name(" O\u2019Br\u202eien\x00 ") == "O\u2019Brien"
    assert find_name("NA") == "NA"
    assert find_name(" ") is None
