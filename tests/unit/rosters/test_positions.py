"""A message is called by its control id in a report only where that could be no patient's number and no text."""

from __future__ import annotations

import pytest

from service.rosters.positions import choose_file_name, choose_position

SHOWN = [
    "M1",
    "MSG00001",
    "MSG-0001",
    "MSG000001",
    "ADT000123",
    "20261118083000",
    "20261118083000.123",
    "2026-11-18-001",
    "Q123456789012345678",
    "LAB.2026_000001",
    "3990000002",
    "3f2504e0-4f89-41d3-9a0c-0305e82c33ab",
]


@pytest.mark.parametrize("control_id", SHOWN)
def test_an_ordinary_control_id_is_shown(control_id: str) -> None:
    assert choose_position(control_id, "#7") == control_id


HIDDEN = {
    "nothing": "",
    "MBI": "1S00E00AA12",
    "small MBI": "1s00e00aa12",
    "MBI of a card": "1S00-E00-AA12",
    "MBI among others": "M-1S00.E00.AA12-1",
    "HICN": "987654329A",
    "HICN with two": "987654329C1",
    "HICN as on a card": "987-65-4329-A",
    "HICN among others": "ID987654329A-1",
    "railroad": "WA987654329",
    "small railroad": "wa987654329",
    "short railroad": "A987654",
    "railroad with a hyphen": "WCA-987654",
    "railroad among others": "X1.MA987654329",
    "SSN": "987654329",
    "SSN with hyphens": "987-65-4329",
    "SSN with blanks": "987 65 4329",
    "SSN with dots": "987.65.4329",
    "SSN cut elsewhere": "98765-4329",
    "SSN among others": "MSG987654329X",
    "name and birth date": "Zanzibar 1931-07-13",
    "name": "Zanzibar",
    "longer than any": "M" + "1" * 20,
    "markup": "<b>1</b>",
    "another number": "\u0661\u0662",
    "line end": "M1\n",
    "place of another": "#4",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_could_be_a_patient_or_a_text_is_not_shown(name: str) -> None:
    assert choose_position(HIDDEN[name], "#7") == "#7"


def test_names_of_files_are_held_to_the_same() -> None:
    for name in ("Group.ndjson", "Patient-0001.ndjson", "0.Practitioner.part_12.ndjson"):
        assert choose_file_name(name, "file 1") == name
    for name in ("987-65-4329.ndjson", "1S00E00AA12.ndjson", "WA987654329.ndjson", "Ann Doe.ndjson", ""):
        assert choose_file_name(name, "file 1") == "file 1"
