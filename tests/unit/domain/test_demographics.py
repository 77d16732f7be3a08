"""Whether two accounts of a patient contradict: the same name is written in many ways, and silence says nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.demographics import fold_family_name, is_contradiction


@dataclass(frozen=True)
class Account:
    """What one source says."""

    family: str | None = None
    birth_on: date | None = None


SAME = [
    ("Moss", "MOSS"),
    ("Núñez", "NUNEZ"),
    ("Nu\u0301n\u0303ez", "Núñez"),
    ("O'Brien", "OBRIEN"),
    ("O’Brien", "O`Brien"),
    ("D´Angelo", "Dʼangelo"),
    ("Lopez-Garcia", "Lopez Garcia"),
    ("Lopez\u2010Garcia", "LopezGarcia"),
    ("van der Berg", "Vanderberg"),
    ("St. John", "St John"),
    ("Müller", "muller"),
    ("Weiß", "WEISS"),
    ("Strøm", "STROM"),
    ("Wałęsa", "Walesa"),
    ("Æbelø", "AEBELO"),
    ("Yıldız", "YILDIZ"),
    ("İnan", "Inan"),
    ("\u00a0Moss\u200b", "Moss"),
    ("Ｍｏｓｓ", "Moss"),
    ("ﬁnch", "Finch"),
]
DIFFERENT = [("Moss", "Mosse"), ("Muller", "Mueller"), ("Reed", "Read"), ("Li", "Lee"), ("Smith", "Smith-Jones")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_family_name_is_known_in_every_spelling(one: str, other: str) -> None:
    assert fold_family_name(one) == fold_family_name(other) != ""
    assert not is_contradiction(Account(one), Account(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_letters_are_another_name(one: str, other: str) -> None:
    assert is_contradiction(Account(one), Account(other))
    assert is_contradiction(Account(other), Account(one))


ON, LATER = date(1939, 2, 28), date(1939, 3, 1)
PAIRS = [
    (Account("Moss", ON), Account("Moss", LATER), True),
    (Account(None, ON), Account(None, LATER), True),
    (Account("Moss", ON), Account("Reed", ON), True),
    (Account("Moss", None), Account("Reed", ON), True),
    (Account("Moss", ON), Account("Moss", ON), False),
    (Account("Moss", ON), Account("Moss", None), False),
    (Account("Moss", None), Account(None, ON), False),
    (Account("Moss", ON), Account("", ON), False),
    (Account("Moss", ON), Account("-", ON), False),
    (Account(), Account(), False),
]


@pytest.mark.parametrize(("known", "told", "answer"), PAIRS)
def test_a_birth_date_or_a_family_name_contradicts_and_silence_does_not(
    known: Account, told: Account, answer: bool
) -> None:
    assert is_contradiction(known, told) is is_contradiction(told, known) is answer


IGNORED = st.sampled_from(" -'’‘ʼ`´\u00a0\u2010\u2011\u2013.")
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyzáàâäãåçéèêëíìîïñóòôöõøúùûüýÿšžčřůłđæœ")
ACCENTS = st.sampled_from(["", "\u0301", "\u0308", "\u0327", "\u0303"])


@given(st.lists(st.tuples(LETTERS, ACCENTS, IGNORED, st.booleans()), min_size=1), st.sampled_from(["NFC", "NFD"]))
def test_case_accents_and_what_stands_between_letters_make_no_other_name(
    parts: list[tuple[str, str, str, bool]], form: str
) -> None:
    plain = "".join(letter for letter, _, _, _ in parts)
    written = "".join(
        (letter.upper() if is_upper else letter) + accent + gap for letter, accent, gap, is_upper in parts
    )
    assert fold_family_name(unicodedata.normalize(form, written)) == fold_family_name(plain)  # type: ignore[arg-type]


@given(st.text())
def test_any_text_is_folded_once_and_for_all(text: str) -> None:
    folded = fold_family_name(text)
    assert fold_family_name(folded) == folded


@given(st.from_regex(r"[a-z]{1,12}", fullmatch=True), st.from_regex(r"[a-z]{1,12}", fullmatch=True))
def test_plain_names_are_the_same_only_when_they_are_equal(one: str, other: str) -> None:
    assert is_contradiction(Account(one), Account(other)) is (one != other)
