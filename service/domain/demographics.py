"""Whether what is known of a person is enough for DPC to register them, and whether two accounts contradict."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Protocol

_BARE_AMPERSAND = re.compile(r"(?<! )&|&(?! )")
_UNDIVIDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters with a stroke and joined ones, which Unicode does not take apart as it does letters with an accent."""


class Described(Protocol):
    """Whatever says of a patient how the family is called and when the patient was born."""

    @property
    def family(self) -> str | None:
        """The family name, None where nothing is said."""

    @property
    def birth_on(self) -> date | None:
        """The day of birth, None where nothing is said."""


def is_registrable_name(text: str | None) -> bool:
    """True for a name that DPC's check for HTML lets pass: no `<`, `>` and no `&` without spaces (contract-v1 1.4)."""
    if not text or not text.strip():
        return False
    return not (set(text) & set("<>")) and not _BARE_AMPERSAND.search(text)


def is_registrable_patient(given: str | None, family: str | None, birth_on: date | None, gender: str | None) -> bool:
    """True when name, birth date and gender are known, without which DPC v1 registers nobody (contract-v1 8)."""
    return is_registrable_name(given) and is_registrable_name(family) and birth_on is not None and bool(gender)


def fold_family_name(name: str) -> str:
    """Answer a family name as it is compared: letters and digits alone, without case and accents (feeds 3.5).

    Sources write `O'Brien-Núñez`, `OBRIEN NUNEZ` and `O’Brien Nuñez` for the same person.
    """
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(char for char in parts if _is_written_in_a_name(char)).translate(_UNDIVIDED)


def _is_written_in_a_name(char: str) -> bool:
    """True for letters and digits; one form of the apostrophe (U+02BC) is a letter to Unicode."""
    return char.isalnum() and unicodedata.category(char) != "Lm"


def is_contradiction(known: Described, told: Described) -> bool:
    """True when both say a birth date, or both a family name, and the two differ; silence contradicts nothing."""
    if known.birth_on and told.birth_on and known.birth_on != told.birth_on:
        return True
    if not known.family or not told.family or known.family == told.family:
        return False
    families = {fold_family_name(known.family), fold_family_name(told.family)}
    return len(families) > 1 and "" not in families
