"""People taken from columns are the same whoever asks for them and in which order."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from service.domain.identifiers import Environment, pack_mbi
from service.rosters.columns.people import ColumnPeople
from service.rosters.delimited import texts
from service.rosters.read import read_roster
from service.rosters.reading import Demographics, RosterOptions

NPI = "3905293015"


def read_people(path: Path, text: str) -> ColumnPeople:
    path.write_text(text, encoding="utf-8")
    people = read_roster(path, RosterOptions(Environment.SANDBOX)).demographics
    assert isinstance(people, ColumnPeople)
    return people


def test_people_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    rows = [
        f"1S00E00AA{n:02d},{NPI},Ana{n % 3},Lopez{n % 2},19{40 + n}-02-0{1 + n % 9},{'fm'[n % 2]}" for n in range(20)
    ]
    people = read_people(tmp_path / "roster.csv", "\n".join(["mbi,npi,first name,last name,dob,sex", *rows]) + "\n")
    listed = list(people)
    places = np.array([7, 0, 19, 7])
    assert people.take(places) == [listed[place] for place in places] == [people[int(place)] for place in places]
    assert list(people[3:5]) == listed[3:5]
    assert people.codes.tolist() == [pack_mbi(person.mbi) for person in listed]
    assert listed[1] == Demographics("1S00E00AA01", "Ana1", "Lopez1", date(1941, 2, 2), "male", "3")


def test_a_whole_name_is_split_only_where_no_part_of_it_stands_alone(tmp_path: Path) -> None:
    text = (
        "mbi,npi,first name,last name,patient name,dob,sex\n"
        f'1S00E00AA00,{NPI},,,"Lopez, Ana",1940-02-29,F\n'
        f'1S00E00AA01,{NPI},Eva,,"Lopez, Ana",,\n'
        f"1S00E00AA02,{NPI},,,Ana Lopez,not a date,?\n"
    )
    people = read_people(tmp_path / "roster.csv", text)
    assert [(one.given, one.family, one.birth_on, one.gender) for one in people] == [
        ("Ana", "Lopez", date(1940, 2, 29), "female"),
        ("Eva", None, None, None),
        (None, None, None, None),
    ]


def test_people_of_a_file_in_many_pieces_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"1S00E00A{'ABC'[n % 3]}{n // 3:02d},{NPI},Ana{n % 7},Lopez{n},19{40 + n % 50}-02-01" for n in range(200)]
    rows[150] = rows[3].replace("Lopez3", "Perez")
    text = "\n".join(["mbi,npi,first name,last name,dob", *rows]) + "\n"
    whole = read_people(tmp_path / "whole.csv", text)
    monkeypatch.setattr(texts, "PIECE_BYTES", 500)
    pieced = read_people(tmp_path / "pieces.csv", text)
    places = np.array([180, 0, 77, 180, 3])
    assert list(pieced) == list(whole) and len(pieced) == 199
    assert pieced.take(places) == whole.take(places)
    repeated = np.array([3, 150])
    assert pieced.find_contradicting(repeated) == whole.find_contradicting(repeated) == [152]
