"""Rows of one file that describe a patient differently are remarked on, and the first row stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.demographics import fold_family_name
from service.domain.identifiers import Environment
from service.rosters.findings import CODE_INDEX, Finding, Findings, insert_findings
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading

ReadText = Callable[..., RosterReading]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"
HEADER = "mbi,npi,first name,last name,dob\n"


def list_differing(reading: RosterReading) -> list[str]:
    """The positions of the rows that differ from an earlier one."""
    return [one.position for one in reading.findings if one.code == "demographics_differ"]


DIFFERENT = ["Ann,Reed,1939-02-28", "Ann,Moss,1939-02-27", "Bea,Reed,1940-01-01"]
ALIKE = ["Ann,Moss,1939-02-28", "Ann,MOSS,02/28/1939", "Anna,M-oss,", "Ann,,1939-02-28", ",,", "Ann,Moss,not a date"]


@pytest.mark.parametrize("npi", [N, M])
@pytest.mark.parametrize("person", DIFFERENT)
def test_a_later_row_that_contradicts_an_earlier_one_is_remarked_on(read_text: ReadText, person: str, npi: str) -> None:
    rows = [f"{A},{N},Ann,Moss,1939-02-28", f"{B},{N},Eva,Lake,1941-01-01", f"{A},{npi},{person}"]
    reading = read_text(HEADER + "\n".join(rows) + "\n")
    assert list_differing(reading) == ["4"]
    assert [(one.mbi, one.family) for one in reading.demographics] == [(A, "Moss"), (B, "Lake")]
    assert not any(one.severity == "error" or one.blind for one in reading.findings)
    assert (A, npi) in list(reading.present.iter_pairs())


@pytest.mark.parametrize("person", ALIKE)
def test_other_words_for_the_same_and_silence_are_not(read_text: ReadText, person: str) -> None:
    reading = read_text(f"{HEADER}{A},{N},Ann,Moss,1939-02-28\n{A},{M},{person}\n")
    assert list_differing(reading) == []


def test_every_row_is_compared_with_what_the_rows_before_it_have_said(read_text: ReadText) -> None:
    people = [",,", ",Moss,", ",Reed,1939-02-28", ",,1939-02-28", ",,1940-01-01", "Ann,Moss,1939-02-28"]
    rows = [f"{A},{N},{person}" for person in people]
    assert list_differing(read_text(HEADER + "\n".join(rows) + "\n")) == ["4", "6"]


def test_whole_names_are_compared_by_their_family_part(read_text: ReadText) -> None:
    rows = [f'{A},{N},"Moss, Ann"', f'{A},{M},"Moss, Bea"', f'{A},{N},"Reed, Ann"']
    assert list_differing(read_text("mbi,npi,patient name\n" + "\n".join(rows) + "\n")) == ["4"]


def test_two_patients_of_the_same_name_do_not_differ(read_text: ReadText) -> None:
    rows = [f"{mbi},{N},Ann,Moss,1939-02-28" for mbi in (A, B, C)]
    assert list(read_text(HEADER + "\n".join(rows) + "\n").findings) == []


def test_rows_that_name_nobody_have_nothing_to_differ_in(read_text: ReadText) -> None:
    assert list_differing(read_text(f"mbi,npi\n{A},{N}\n{A},{M}\n{A},{N}\n")) == []


def test_a_list_of_pairs_is_compared_as_a_table_is(read_text: ReadText) -> None:
    pairs = [{"mbi": A, "npi": N, "last_name": name} for name in ("Moss", "Reed", "moss")]
    assert list_differing(read_text(json.dumps(pairs), "roster.json")) == ["1"]


def build_patient(family: str, born: str, **more: Any) -> dict[str, Any]:
    """A Patient with the same MBI whoever it is."""
    mbi = {"system": "http://hl7.org/fhir/sid/us-mbi", "value": A}
    return {"resourceType": "Patient", "identifier": [mbi], "name": [{"family": family}], "birthDate": born, **more}


def test_patients_of_a_bundle_are_compared_by_their_number(read_text: ReadText) -> None:
    told = [("Moss", "1939-02-28"), ("MOSS", "1939"), ("Reed", "1939-02-28"), ("Moss", "1940-01-01")]
    entries = [{"resource": build_patient(*one)} for one in told]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    reading = read_text(json.dumps(bundle), "roster.json")
    assert list_differing(reading) == ["/entry/2/resource", "/entry/3/resource"]
    assert [(one.mbi, one.family) for one in reading.demographics] == [(A, "Moss")]


def test_messages_correct_one_another_in_time_and_do_not_differ(read_text: ReadText) -> None:
    messages = [
        f"MSH|^~\\&|EHR|SITE|||2026110{n}||ADT^A08|M{n}|P|2.5.1\rPID|1||{A}^^^CMS^MC||{family}^Ann||19390228|F\r"
        f"PV1|1|O|C||||{N}^Wells^Ada^^^^^^NPI\r"
        for n, family in ((2, "Reed"), (1, "Moss"))
    ]
    reading = read_text("".join(messages), "roster.hl7")
    assert list_differing(reading) == []
    assert [one.family for one in reading.demographics] == ["Reed"]


PEOPLE = st.tuples(
    st.sampled_from([A, B, C]),
    st.sampled_from([N, M]),
    st.sampled_from(["", "Moss", "MOSS", "Reed", "M'oss"]),
    st.sampled_from(["", "1939-02-28", "02/28/1939", "1940-01-01"]),
)
BORN = {"": None, "1939-02-28": 1, "02/28/1939": 1, "1940-01-01": 2}


@given(st.lists(PEOPLE, max_size=12))
def test_columns_find_what_reading_row_by_row_finds(rows: list[tuple[str, str, str, str]]) -> None:
    known: dict[str, tuple[str, int | None]] = {}
    wanted = []
    for line, (mbi, _, family, born) in enumerate(rows, start=2):
        told = fold_family_name(family), BORN[born]
        first = known.setdefault(mbi, told)
        if any(one and other and one != other for one, other in zip(first, told, strict=True)):
            wanted.append(str(line))
        else:
            known[mbi] = first[0] or told[0], first[1] or told[1]
    text = "mbi,npi,last name,dob\n" + "".join(",".join(row) + "\n" for row in rows)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "roster.csv"
        path.write_text(text, encoding="utf-8")
        assert list_differing(read_roster(path, RosterOptions(Environment.SANDBOX))) == wanted


LATE = [Finding("3", "demographics_conflict", "warning", blind=False)]
CODE = CODE_INDEX["mbi_missing"]


def build_findings(positions: Any) -> Findings:
    """One blind error at each of the positions."""
    return Findings(positions, np.full(len(positions), CODE, np.uint8), np.ones(len(positions), np.bool_))


def test_a_later_finding_takes_its_place_by_line() -> None:
    found = insert_findings(build_findings(np.array([2, 3, 10], np.int32)), LATE)
    assert [(one.position, one.code, one.blind) for one in found] == [
        ("2", "mbi_missing", True),
        ("3", "mbi_missing", True),
        ("3", "demographics_conflict", False),
        ("10", "mbi_missing", True),
    ]
    assert isinstance(found, Findings)
    assert found.count_codes() == {"mbi_missing": 3, "demographics_conflict": 1}


@pytest.mark.parametrize(
    ("positions", "answer"),
    [(["M9", "3", "M1"], ["M9", "3", "3", "M1"]), (["M9", "M1"], ["M9", "M1", "3"]), ([], ["3"])],
)
def test_where_positions_are_no_lines_it_stands_next_to_what_concerns_the_same(
    positions: list[str], answer: list[str]
) -> None:
    assert [one.position for one in insert_findings(build_findings(positions), LATE)] == answer


def test_findings_that_are_no_columns_are_followed_by_later_ones() -> None:
    found = [Finding("M1", "mbi_missing", "error", blind=True)]
    assert list(insert_findings((), LATE)) == LATE
    assert list(insert_findings(found, LATE)) == [*found, *LATE]
    assert insert_findings(found, []) is found
