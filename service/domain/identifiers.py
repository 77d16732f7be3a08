"""MBI and NPI: what is repaired, what is refused and why, and an MBI packed exactly into 46 bits (feeds 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STRICT_LETTERS = "".join(letter for letter in LETTERS if letter not in "SLOIBZ")

LOOSE_ALPHABETS = tuple({"N": DIGITS, "L": LETTERS, "A": DIGITS + LETTERS}[kind] for kind in "NLANLANLLNN")
"""What each of the eleven positions may hold in any MBI-shaped number, sandbox or real."""

STRICT_ALPHABETS = tuple(
    {"1": DIGITS[1:], "N": DIGITS, "L": STRICT_LETTERS, "A": DIGITS + STRICT_LETTERS}[kind] for kind in "1LANLANLLNN"
)
"""What each position may hold in a number that CMS issues to a person."""

SANDBOX_ALPHABETS = (LOOSE_ALPHABETS[0], "S", *LOOSE_ALPHABETS[2:])
"""The sandbox's numbers carry S, a letter never issued, at position 2."""

MBI_LENGTH = 11
EDGE_BLANKS = (
    " \t\r\n\v\f\u00a0\u202f\u205f\u3000\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What nobody sees at the ends of a cell: blanks of any width, and marks of no width, among them those of direction."""
DISPLAY_SEPARATORS = " -\u2010\u2011\u2012\u2013\u2014\u2212\u00ad"
PLACEHOLDERS = frozenset(
    {"UNKNOWN", "UNK", "N/A", "NA", "NONE", "NULL", "NIL", "NAN", "MISSING", "TBD", "-", "--", "?", "."}
)
LONGEST_SLUG = 40
CARD_PREFIX = "80840"

_ASCII_UPPER = str.maketrans(LETTERS.lower(), LETTERS)
_NO_SEPARATORS = str.maketrans("", "", DISPLAY_SEPARATORS)
_LOOSE = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))
_STRICT = re.compile("".join(f"[{alphabet}]" for alphabet in STRICT_ALPHABETS))
_HICN = re.compile(r"[0-9]{9}[A-Z][A-Z0-9]?|[A-Z]{1,3}(?:[0-9]{6}|[0-9]{9})")
_SSN = re.compile(r"[0-9]{9}")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+")
_DIGITS_ONLY = re.compile(r"[0-9]+")
_WHOLE_FLOAT = re.compile(r"[0-9]+\.0")
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LUHN_OF_PREFIX = 24
_MBI_INDEX = tuple({char: index for index, char in enumerate(alphabet)} for alphabet in LOOSE_ALPHABETS)


class Environment(StrEnum):
    """Which numbers are allowed: CMS's synthetic ones, or those of people."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Reading:
    """One identifier as read: the canonical `value`, or the `code` of what is wrong, and the `repairs` made."""

    value: str | None
    code: str | None
    repairs: tuple[str, ...] = ()


def read_mbi(raw: str, environment: Environment) -> Reading:
    """Answers the canonical MBI of a cell, or the code that refuses it (feeds 2.1 and 2.2).

    Repairs are only what can be undone: blanks at the ends, spreadsheet wrappers, case, display separators.
    """
    text, repairs = _unwrap(raw)
    upper = text.translate(_ASCII_UPPER)
    if upper != text:
        repairs.append("lowercase")
    if len(upper) == 13 and upper[4] == upper[8] and upper[4] in DISPLAY_SEPARATORS:
        upper = upper[:4] + upper[5:8] + upper[9:]
        repairs.append("display_separators")
    code = find_mbi_fault(upper, environment)
    return Reading(upper if code is None else None, code, tuple(repairs))


def find_mbi_fault(canonical: str, environment: Environment) -> str | None:
    """Answers what is wrong with an MBI in canonical form, None if nothing is."""
    if _LOOSE.fullmatch(canonical):
        return _find_environment_fault(canonical, environment)
    return _find_shape_fault(canonical)


def _find_environment_fault(loose: str, environment: Environment) -> str | None:
    synthetic = loose[1] == "S"
    if synthetic:
        return None if environment is Environment.SANDBOX else "mbi_synthetic_in_production"
    if _STRICT.fullmatch(loose):
        return "mbi_real_in_sandbox" if environment is Environment.SANDBOX else None
    return "mbi_leading_zero" if loose[0] == "0" else "mbi_excluded_letter"


def _find_shape_fault(text: str) -> str:
    if not text or text in PLACEHOLDERS:
        return "mbi_missing"
    compact = (text[:-2] if _WHOLE_FLOAT.fullmatch(text) else text).translate(_NO_SEPARATORS)
    if _SSN.fullmatch(compact):
        return "mbi_is_ssn"
    if _HICN.fullmatch(compact):
        return "mbi_is_hicn"
    if _SCIENTIFIC.fullmatch(text) or text.startswith("#"):
        return "mbi_format"
    return "mbi_format" if len(text) == MBI_LENGTH else "mbi_length"


def read_npi(raw: str, environment: Environment) -> Reading:
    """Answers the ten digits of an NPI cell, or the code that refuses it (feeds 2.3 and 3.5)."""
    text, repairs = _unwrap(raw)
    if _WHOLE_FLOAT.fullmatch(text):
        text = text[:-2]
        repairs.append("decimal_zero")
    if len(text) == 15 and text.startswith(CARD_PREFIX) and _DIGITS_ONLY.fullmatch(text):
        text = text[len(CARD_PREFIX) :]
        repairs.append("card_prefix")
    code = find_npi_fault(text, environment)
    return Reading(text if code is None else None, code, tuple(repairs))


def refuse_npi(npi: Reading, organization_npi: str | None) -> Reading:
    """Answers an NPI as it was read, refused if it is the organisation's own: no practitioner has that (feeds 2.3)."""
    if organization_npi is None or npi.value != organization_npi:
        return npi
    return Reading(None, "provider_is_org", npi.repairs)


def find_npi_fault(text: str, environment: Environment) -> str | None:
    """Answers what is wrong with an NPI in canonical form, None if nothing is."""
    if not text or text.upper() in PLACEHOLDERS:
        return "npi_missing"
    if not _DIGITS_ONLY.fullmatch(text):
        return "npi_scientific" if _SCIENTIFIC.fullmatch(text) else "npi_format"
    if len(text) != 10:
        return "npi_length"
    if not is_npi(text):
        return "npi_luhn"
    if environment is Environment.PRODUCTION and text[0] not in "12":
        return "npi_first_digit"
    return None


def is_slug(text: str) -> bool:
    """Answers whether a text may be the id of an organisation or a feed: lower-case letters, digits and hyphens."""
    return text.isascii() and text.replace("-", "").isalnum() and text == text.lower() and len(text) <= LONGEST_SLUG


def is_npi(value: str) -> bool:
    """Answers whether the text is ten ASCII digits whose check digit fits the prefix 80840 (feeds 2.3)."""
    if len(value) != 10 or not _DIGITS_ONLY.fullmatch(value):
        return False
    digits = [int(char) for char in value]
    total = _LUHN_OF_PREFIX + sum(digits[1::2]) + sum(_LUHN_DOUBLED[digit] for digit in digits[0::2])
    return total % 10 == 0


def mask_mbi(mbi: str) -> str:
    """Answers the MBI as people may see it: the first character and the last two, the rest as `*`."""
    if len(mbi) <= 3:
        return "*" * len(mbi)
    return mbi[0] + "*" * (len(mbi) - 3) + mbi[-2:]


def pack_mbi(mbi: str) -> int:
    """Answers the exact number below 2**46 that stands for a canonical MBI; keeps the order of the text.

    Raises ValueError for text that is not MBI-shaped.
    """
    if len(mbi) != MBI_LENGTH:
        raise ValueError("not an MBI-shaped text")
    code = 0
    for char, index, alphabet in zip(mbi, _MBI_INDEX, LOOSE_ALPHABETS, strict=True):
        if char not in index:
            raise ValueError("not an MBI-shaped text")
        code = code * len(alphabet) + index[char]
    return code


def unpack_mbi(code: int) -> str:
    """Answers the MBI that `pack_mbi` packed; raises ValueError for a number out of range."""
    rest = int(code)
    chars: list[str] = []
    for alphabet in reversed(LOOSE_ALPHABETS):
        rest, index = divmod(rest, len(alphabet))
        chars.append(alphabet[index])
    if rest:
        raise ValueError("not a packed MBI")
    return "".join(reversed(chars))


def _unwrap(raw: str) -> tuple[str, list[str]]:
    """Takes blanks and one spreadsheet wrapper off the ends."""
    repairs: list[str] = []
    text = raw.strip(EDGE_BLANKS)
    if text != raw:
        repairs.append("whitespace")
    if len(text) >= 3 and text.startswith('="') and text.endswith('"'):
        repairs.append("excel_wrapper")
        return text[2:-1], repairs
    if text.startswith("'"):
        repairs.append("excel_wrapper")
        return text[1:], repairs
    return text, repairs
