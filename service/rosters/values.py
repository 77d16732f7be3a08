"""What a cell says: dates, genders, actions and names as they are written in the wild (feeds 3.4 and 3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from service.domain.identifiers import EDGE_BLANKS

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T].*)?")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_SLASHED = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})")
_NAMED_MONTH = re.compile(r"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_SERIAL = re.compile(r"([0-9]{3,5})(?:\.0)?")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_SERIAL_DAY_ZERO = date(1899, 12, 30)
_SERIAL_RANGE = range(367, 60_000)
_LONGEST_REMEMBERED = 32
"""Characters: longer cells are hardly dates, and would fill the memory of a process for good."""
_NOT_A_DATE = frozenset(
    {"", "n/a", "na", "none", "null", "-", "0", "00/00/0000", "0000-00-00", "00000000"}
    | {"99/99/9999", "9999-99-99", "99999999"}
)
"""What fills a cell without a date; nines stand for an open end or a day that nobody knows."""
_DAYS_AS_MONTHS = range(13, 32)

_GENDERS = {
    "m": "male", "male": "male", "1": "male",
    "f": "female", "female": "female", "2": "female",
    "o": "other", "other": "other", "x": "other",
    "u": "unknown", "unknown": "unknown", "unk": "unknown", "0": "unknown",
}  # fmt: skip

ADD_ACTIONS = frozenset(
    {"a", "add", "added", "new", "i", "insert", "c", "change", "changed", "u", "update", "updated"}
    | {"nochange", "active", "021", "001", "030"}
)
REMOVE_ACTIONS = frozenset(
    {"d", "del", "delete", "deleted", "r", "remove", "removed", "t", "term", "terminated", "drop", "dropped"}
    | {"inactive", "cancelled", "canceled", "024"}
)
_GAP = re.compile(r"(?<=[a-z])[ _-](?=[a-z])")
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class DateReading:
    """A date as read; `code` is the dob_* warning it earns, `month_over_twelve` speaks of a day-first file.

    It is a month of 13 to 31 only: a number above is no day either.
    """

    on: date | None
    code: str | None = None
    month_over_twelve: bool = False


NO_DATE = DateReading(None)
_UNPARSEABLE = DateReading(None, "dob_unparseable")


def read_birth_date(cell: str) -> DateReading:
    """Answers a birth date in any of the accepted shapes; two-digit years are 19xx."""
    return _remember_birth_date(cell) if len(cell) <= _LONGEST_REMEMBERED else _read_date(cell, century=1900)


def read_event_date(cell: str) -> DateReading:
    """Answers an end date or date of death; two-digit years are 20xx, the eras that rosters speak of."""
    return _remember_event_date(cell) if len(cell) <= _LONGEST_REMEMBERED else _read_date(cell, century=2000)


@lru_cache(maxsize=65_536)
def _remember_birth_date(cell: str) -> DateReading:
    return _read_date(cell, century=1900)


@lru_cache(maxsize=4_096)
def _remember_event_date(cell: str) -> DateReading:
    return _read_date(cell, century=2000)


def _read_date(cell: str, century: int) -> DateReading:
    text = unwrap_cell(cell)
    if text.lower() in _NOT_A_DATE:
        return NO_DATE
    if (found := _ISO.fullmatch(text)) or (found := _COMPACT.fullmatch(text)):
        year, month, day = map(int, found.groups())
        return _build_date(year, month, day, None)
    if found := _SLASHED.fullmatch(text):
        month, day, year = map(int, found.groups())
        short = len(found.group(3)) == 2
        return _build_date(century + year if short else year, month, day, "dob_two_digit_year" if short else None)
    if found := _NAMED_MONTH.fullmatch(text):
        return _build_date(int(found.group(3)), _MONTHS.get(found.group(2).lower(), 0), int(found.group(1)), None)
    if (found := _SERIAL.fullmatch(text)) and int(found.group(1)) in _SERIAL_RANGE:
        return DateReading(_SERIAL_DAY_ZERO + timedelta(days=int(found.group(1))), "dob_excel_serial")
    return _UNPARSEABLE


def _build_date(year: int, month: int, day: int, code: str | None) -> DateReading:
    try:
        return DateReading(date(year, month, day), code)
    except ValueError:
        return DateReading(None, "dob_unparseable", month_over_twelve=month in _DAYS_AS_MONTHS)


def is_blank_date(cell: str) -> bool:
    """Answers whether a date cell says that there is none."""
    return unwrap_cell(cell).lower() in _NOT_A_DATE


def find_gender(cell: str) -> str | None:
    """Answers the FHIR code of a gender cell."""
    return _GENDERS.get(unwrap_cell(cell).lower())


def find_action(cell: str) -> str | None:
    """Answers "present" or "remove", None for a blank or unknown action (feeds 3.4)."""
    word = _GAP.sub("", unwrap_cell(cell).lower())
    if word in ADD_ACTIONS:
        return "present"
    return "remove" if word in REMOVE_ACTIONS else None


def find_name(cell: str | None) -> str | None:
    """Answers a name without invisible characters and outer blanks; None for none."""
    return (_UNSHOWN.sub("", unwrap_cell(cell)).strip() or None) if cell else None


def split_whole_name(cell: str | None) -> tuple[str | None, str | None]:
    """Answers (given, family) of "Last, First Middle"; without a comma nothing is certain and both are None."""
    name = find_name(cell)
    if name is None or "," not in name:
        return None, None
    family, given = name.split(",", 1)
    words = given.split()
    return (words[0] if words else None), (family.strip() or None)


def unwrap_cell(cell: str) -> str:
    """Answers the cell without blanks at the ends and without a spreadsheet's text wrapper."""
    text = cell.strip(EDGE_BLANKS)
    if len(text) >= 3 and text.startswith('="') and text.endswith('"'):
        return text[2:-1]
    return text.removeprefix("'")
