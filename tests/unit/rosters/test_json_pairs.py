"""Lists of pairs in JSON: objects, arrays and the envelope."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"

PAIRS = [
    ("[]", [], []),
    (f'[["{A}","{N}"]]', [[A, N]], []),
    (f'[["{A}",{N}]]', [[A, N]], []),
    (f'[{{"Medicare ID":"{A.lower()}","Rendering NPI":{N},"unknown":[1,{{}}]}}]', [[A, N]], []),
    (f'[["{A}",{N}.0],["{B}",3.9e9],["{C}",true]]', [], [[n, "npi_format"] for n in range(3)]),
    (f'[["{A}",null],{{"mbi":"{B}"}},["{C}",""]]', [], [[n, "npi_missing"] for n in range(3)]),
    (f'[["{A}","{N}"],["{B}"],["{A}","{N}","x"],7,null,"{A}"]', [[A, N]], [[n, "ragged_row"] for n in range(1, 6)]),
    (f'[["{A}","{N}"],{{}},{{"npi":"{N}"}}]', [[A, N]], [[1, "mbi_missing"], [2, "mbi_missing"]]),
    (f'[[["{A}"],"{N}"],[7.5,"{N}"],["{A}",["{N}"]]]', [], [[0, "mbi_format"], [1, "mbi_format"], [2, "npi_format"]]),
    (f'[[123456789,"{N}"]]', [], [[0, "mbi_is_ssn"]]),
]


@pytest.mark.parametrize(("text", "present", "errors"), PAIRS, ids=range(len(PAIRS)))
def test_pairs_are_read_from_objects_and_arrays(
    check_text: CheckText, text: str, present: list[Any], errors: list[Any]
) -> None:
    for whole in (text, f'{{"pairs":{text}}}', f"\ufeff {text}\n"):
        found = check_text(whole)
        assert (found["format"], found["file_error"], found["mode_signal"]) == ("json", None, "none")
        assert (found["present"], found["errors"]) == (present, errors)


ACTIONS = [
    ({"action": "remove"}, "remove", None),
    ({"action": "add"}, "present", None),
    ({}, "present", None),
    ({"action": ""}, None, "bad_action"),
    ({"action": None}, None, "bad_action"),
    ({"action": "purge"}, None, "bad_action"),
    ({"action": 7}, None, "bad_action"),
]


@pytest.mark.parametrize(("more", "goes_to", "code"), ACTIONS)
def test_an_action_is_optional_but_never_guessed(
    check_text: CheckText, more: dict[str, Any], goes_to: str | None, code: str | None
) -> None:
    found = check_text(json.dumps([{"mbi": B, "npi": M, "action": "add"}, {"mbi": A, "npi": N, **more}]))
    assert found["mode_signal"] == "delta"
    assert ([A, N] in found["present"]) == (goes_to == "present")
    assert found["remove"] == ([[A, N]] if goes_to == "remove" else [])
    assert found["errors"] == ([[1, code]] if code else [])


def test_a_removal_without_npi_concerns_all_and_one_with_a_wrong_npi_nobody(check_text: CheckText) -> None:
    rows = [{"mbi": A, "action": "remove"}, {"mbi": B, "npi": 3905293015.0, "action": "remove"}]
    found = check_text(json.dumps(rows))
    assert (found["remove"], found["errors"]) == ([[A, None]], [[1, "npi_format"]])


def test_an_action_makes_a_snapshot_weaker(check_text: CheckText) -> None:
    pairs = [{"mbi": A, "npi": N, "action": "add"}]
    assert check_text(json.dumps({"mode": "snapshot", "pairs": pairs}))["mode_signal"] == "delta"


FILE_ERRORS = [
    ({"count": 2, "pairs": [[A, N]]}, "count_mismatch"),
    ({"count": "1", "pairs": [[A, N]]}, "count_mismatch"),
    ({"count": True, "pairs": [[A, N]]}, "count_mismatch"),
    ({"count": 1.0, "pairs": [[A, N]]}, None),
    ({"count": 1.5, "pairs": [[A, N]]}, "count_mismatch"),
    ({"pairs": [[A, N]], "count": 1}, None),
    ({"count": 0, "pairs": []}, None),
    ({"mode": None, "pairs": []}, "unsupported_format_json"),
    ({"mode": "none", "pairs": []}, "unsupported_format_json"),
    ({"mode": ["delta"], "pairs": []}, "unsupported_format_json"),
    ({"pairs": [{"mbi": A, "patient mbi": B, "npi": N}]}, "ambiguous_columns"),
    ({"pairs": [{"memberId": A, "npi": N}]}, "header_unrecognised"),
    ({"pairs": [[A, N]], "deep": json.loads("[" * 31 + "]" * 31)}, None),
    ({"pairs": [[A, N]], "deep": json.loads("[" * 32 + "]" * 32)}, "too_large"),
    ({"pairs": [[A, N]], "number": 10**32 - 1}, None),
    ({"pairs": [[A, N]], "number": 10**32}, "too_large"),
    ({"pairs": [[A, "x" * 5_000]]}, "too_large"),
]


@pytest.mark.parametrize(("document", "error"), FILE_ERRORS, ids=range(len(FILE_ERRORS)))
def test_an_envelope_is_held_to_its_word(check_text: CheckText, document: Any, error: str | None) -> None:
    found = check_text(json.dumps(document))
    assert found["file_error"] == error
    assert not error or found["present"] == []


TWICE = [
    f'[{{"mbi":"{A}","mbi":"{B}","npi":"{N}"}}]',
    f'{{"pairs":[],"pairs":[["{A}","{N}"]]}}',
    f'{{"pairs":[["{A}","{N}"]],"unread":{{"x":[{{"y":1,"y":1}}]}}}}',
]


@pytest.mark.parametrize("text", TWICE)
def test_a_key_that_occurs_twice_is_refused_wherever_it_is(check_text: CheckText, text: str) -> None:
    assert check_text(text)["file_error"] == "unsupported_format_json"


@pytest.mark.parametrize("number", ["1e999999999999999999999", "-1e-999999999999999999999", "9" * 2_040])
def test_a_number_that_nothing_could_hold_is_refused(check_text: CheckText, number: str) -> None:
    assert check_text(f'[["{A}",{number}]]')["file_error"] == "too_large"


def test_an_envelope_says_when_and_which(read_text: ReadText) -> None:
    reading = read_text('{"as_of":"2026-08-05T04:00:00-04:00","sequence":41,"mode":"delta","pairs":[]}')
    assert (reading.as_of_at, reading.sequence) == (datetime(2026, 8, 5, 8, tzinfo=UTC), "41")
    assert read_text('{"as_of":"yesterday","pairs":[]}').as_of_at is None


def test_people_may_be_named_on_some_pairs_only(read_text: ReadText) -> None:
    rows: list[Any] = [[A, N], {"mbi": B, "npi": N, "last_name": "Doe", "first_name": None, "birth_date": "1939-02"}]
    reading = read_text(json.dumps(rows * 1))
    assert [(one.mbi, one.family, one.given) for one in reading.demographics] == [(A, None, None), (B, "Doe", None)]
    assert [(one.position, one.code) for one in reading.findings] == [("1", "dob_unparseable")]
    assert reading.present.line.tolist() == [1, 2]


def test_a_mapped_key_counts(check_text: CheckText) -> None:
    found = check_text(f'[{{"member no":"{A}","npi":"{N}"}}]', column_mapping={"mbi": "Member No"})
    assert found["present"] == [[A, N]]


def test_many_pairs_are_read_in_several_batches(read_text: ReadText) -> None:
    rows: list[Any] = [[f"1S00E{n // 100:02d}AA{n % 100:02d}", N] for n in range(10_000)] * 6
    rows.append({"mbi": B, "npi": M, "birth_date": "1939-02-28"})
    reading = read_text(json.dumps(rows))
    assert (len(reading.present), reading.data_rows, len(reading.demographics)) == (10_001, 60_001, 10_000)
    assert read_text(json.dumps(rows), max_rows=60_000).file_error == "too_large"
