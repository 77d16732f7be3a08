"""Which texts hold a patient's number and are therefore not kept in clear, as tables."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.identifiers import LOOSE_ALPHABETS
from service.domain.patient_numbers import holds_patient_number

HELD = {
    "an MBI": "1S00E00AA12",
    "an MBI in small letters": "1s00e00aa12",
    "an MBI with hyphens": "1S00-E00-AA12",
    "an MBI with blanks": "1S00 E00 AA12",
    "an MBI with dashes": "1S00\u2013E00\u2013AA12",
    "an MBI with other gaps": "1S0-0E0-0AA-12",
    "an MBI in a sentence": "It is 1S00E00AA12, she moved away.",
    "an MBI in a name": "roster_1S00E00AA12_last.csv",
    "an MBI behind a label": "MBI1S00E00AA12",
    "an MBI in wide characters": "\uff11\uff33\uff10\uff10\uff25\uff10\uff10\uff21\uff21\uff11\uff12",
    "nine digits": "987654329",
    "nine digits with hyphens": "987-65-4329",
    "nine digits with blanks": "987 65 4329",
    "nine digits with dots": "987.65.4329",
    "nine digits in a sentence": "it is SSN 987-65-4329",
    "nine digits behind a label": "ssn987654329",
    "an old Medicare number": "987654329A",
    "an old Medicare number of two characters": "987-65-4329-C1",
    "an old Medicare number in small letters": "987654329a",
    "a railroad number": "WA987654329",
    "a railroad number with hyphens": "WA-987-65-4329",
    "a short railroad number": "A987654",
    "a short railroad number of three letters": "WCA987654",
}

FREE = {
    "nothing": "",
    "a heading": "Member Number",
    "a word": "monday",
    "a small number": "17",
    "eight digits": "20261120",
    "ten digits": "3990000002",
    "ten digits with hyphens": "555-123-4567",
    "eleven digits": "12345678901",
    "thirteen digits": "1763683200123",
    "a day": "2026-11-20",
    "a time": "2026-11-20T10:00:00Z",
    "a packed time": "20261120T100000Z",
    "a postal code": "12345-6789",
    "a count and a day": "20 rows of 2026-11-20",
    "a numbered run": "seq000123",
    "a ticket": "ticket 123456",
    "a ticket with a hyphen": "INC-1234567",
    "a UUID": "a123456b-1234-4234-8234-abc123456789",
    "a short UUID part": "ab123456-1234-4234-8234-123456789abc",
    "a digest": "9b74c9897bac770ffc029102a4c31234567890abcdef0123456789abcdef0123",
}


@pytest.mark.parametrize("text", HELD.values(), ids=HELD)
def test_a_number_of_a_patient_is_found(text: str) -> None:
    assert holds_patient_number(text)


@pytest.mark.parametrize("text", FREE.values(), ids=FREE)
def test_other_texts_are_free_of_patient_numbers(text: str) -> None:
    assert not holds_patient_number(text)


@given(st.tuples(*(st.sampled_from(alphabet) for alphabet in LOOSE_ALPHABETS)), st.sampled_from(" ,;:()[]\"'#=\n\t"))
def test_every_mbi_shaped_number_is_found_between_any_marks(characters: tuple[str, ...], mark: str) -> None:
    assert holds_patient_number(f"word{mark}{''.join(characters)}{mark}word")


@given(st.uuids().map(str))
def test_no_uuid_is_taken_for_a_patient_number(key: str) -> None:
    assert uuid.UUID(key)
    assert not holds_patient_number(key)
    assert not holds_patient_number(key.upper())
