"""Which rows are trailers: they end a report, state its rows, and are about no patient (feeds 3.3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.domain.identifiers import (
    CARD_PREFIX,
    DISPLAY_SEPARATORS,
    EDGE_BLANKS,
    LOOSE_ALPHABETS,
    Environment,
    read_mbi,
    read_npi,
)
from service.rosters.delimited.sealed import Seal, find_seal, is_altered
from service.rosters.delimited.trailer_counts import is_of_counts, read_counts, strip_dates
from service.rosters.headings import Header
from service.rosters.limits import MAX_ROWS, limit_count
from service.rosters.reading import RosterReading
from service.rosters.values import unwrap_cell

MAX_TRAILERS = 20
"""Trailers of one table: a longer list of rows like them is one of rows."""
END_OF_FILE = "\x1a"
"""What DOS wrote behind the last line."""
TRAILER_STARTS = "tcre" + END_OF_FILE
"""The small letters with which what `may_be_trailer` begins."""

_LETTER = r"[^\W\d_]"
_WORD = re.compile(
    r"(?:totals?|counts?|records?|trailers?|end\s+of)"
    rf"(?!{_LETTER}|['\u2019]{_LETTER}|-(?!(?:rows?|records?|counts?)(?!{_LETTER})){_LETTER})",
    re.IGNORECASE,
)
_SEAL_START = re.compile(r"t(?![^,;\t| ])")
_WHOLE_NUMBERS = frozenset({"mbi_missing", "mbi_length", "mbi_format", "mbi_is_ssn"})
"""What is said of a cell that is no patient's number; one like an SSN may be a count with zeros before it."""
_MARK = f"[{re.escape(DISPLAY_SEPARATORS)}]"
_SOCIAL_SECURITY = re.compile(f"(?<![0-9])[0-9]{{3}}{_MARK}[0-9]{{2}}{_MARK}[0-9]{{4}}(?![0-9])")
_THOUSANDS = re.compile("(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_DISPLAYED = re.compile(f"[0-9A-Z]{{3,5}}(?:{_MARK}[0-9A-Z]{{2,5}}){{2}}")
_RUN = re.compile("[0-9A-Z]+")
_LETTERS = re.compile("[A-Z]+")
_LIKE_DIGITS = "0123456789OILSBZ"
_MISTYPED_MBI = re.compile(
    "".join(f"[{_LIKE_DIGITS}]" if alphabet.isdigit() else "[0-9A-Z]" for alphabet in LOOSE_ALPHABETS)
)
_LONGEST_MIXED = 24
"""Longer runs of letters and digits are digests and the like."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """A line behind the rows; `counts` are the numbers it states: of each tuple, one must be that of the rows.

    `digest` is that of a seal; a line that only marks the end of the file `is_blank`.
    """

    counts: tuple[tuple[int, ...], ...]
    digest: str | None = None
    is_blank: bool = False


def may_be_trailer(first: str) -> bool:
    """Answers whether a row whose first cell is this, without blanks at its ends, begins as a trailer does.

    The word must be one of its own: Countryman and the County Clinic are none.
    """
    return bool(_WORD.match(first)) or bool(_SEAL_START.match(first.lower())) or first == END_OF_FILE


def find_trailer(cells: Sequence[str], header: Header | None = None) -> Trailer | None:
    """Answers the trailer that a row would be behind all others (feeds 3.3, reliability S6.1), None for any other.

    It has at most two filled cells and holds nothing like an MBI or NPI where these stand; without a header, and in a
    row of another width, they may stand anywhere.
    """
    start = header.start if header else 0
    first = cells[start].strip(EDGE_BLANKS) if len(cells) > start else ""
    if first and not may_be_trailer(first):
        return None
    filled = [text for cell in cells if (text := cell.strip(EDGE_BLANKS))]
    if filled == [END_OF_FILE]:
        return Trailer((), is_blank=True)
    seal = find_seal(filled) if first else None
    if seal is not None:
        return Trailer(((seal[0],),), digest=seal[1])
    word = _WORD.match(first)
    if word is None or len(filled) > 2 or _may_be_about_somebody(cells, header, start, first[word.end() :]):
        return None
    return Trailer(read_counts(" ".join(filled)))


def find_declared_count(counts: Sequence[tuple[int, ...]]) -> int | None:
    """Answers the number of rows that trailers state first, as near as it can be kept."""
    return next((limit_count(numbers[0]) for numbers in counts if numbers), None)


def find_mismatch(
    counts: Sequence[tuple[int, ...]], seal: Seal | None, reading: RosterReading, path: Path | None
) -> str | None:
    """Answers the file error of a table that holds other rows or bytes than its trailers state (reliability S6.2).

    Without a `path` there are no bytes that a seal could be of.
    """
    if seal and (path is None or is_altered(seal, path, reading.encoding)):
        return "digest_mismatch"
    if any(numbers and reading.data_rows not in numbers for numbers in counts):
        return "count_mismatch"
    return None


def _may_be_about_somebody(cells: Sequence[str], header: Header | None, start: int, rest: str) -> bool:
    """Answers whether an identifier or what is left of one stands in a row; `rest` is behind the word of a trailer."""
    places = set(range(len(cells)))
    if header and len(cells) == header.width:
        places &= {header.columns[role] for role in ("mbi", "npi") if role in header.columns}
    return any(_holds_number(rest) if place == start else _is_number(cells[place]) for place in places)


def _is_number(cell: str) -> bool:
    """Answers whether a whole cell is, or holds, something like an identifier."""
    if read_mbi(cell, Environment.SANDBOX).code not in _WHOLE_NUMBERS:
        return True
    return read_npi(cell, Environment.SANDBOX).code == "npi_scientific" or _holds_number(unwrap_cell(cell))


def _holds_number(text: str) -> bool:
    upper = unicodedata.normalize("NFKC", text).upper()
    return bool(_SOCIAL_SECURITY.search(upper)) or any(map(_is_like_identifier, _iter_runs(upper)))


def _iter_runs(upper: str) -> Iterator[str]:
    """Yields letters and digits that stand together, an MBI as it is printed on a card among them, and no dates."""
    text = _THOUSANDS.sub("", strip_dates(upper))
    for found in _DISPLAYED.findall(text):
        parts = _RUN.findall(found)
        if sum(not part.isdigit() and not part.isalpha() for part in parts) > 1:
            yield "".join(parts)
    yield from _RUN.findall(text)


def _is_like_identifier(run: str) -> bool:
    """Answers whether letters and digits are what may be left of an MBI, an NPI or a number of older kinds.

    Numbers alone are that if they are as long as one and more than any roster has rows.
    """
    if run.isdigit():
        return (8 <= len(run) <= 11 and int(run) > MAX_ROWS) or (len(run) == 15 and run.startswith(CARD_PREFIX))
    digits, words = sum(map(str.isdigit, run)), _LETTERS.findall(run)
    if not digits or len(run) > _LONGEST_MIXED or all(map(is_of_counts, words)):
        return False
    is_damaged = digits == 4 and len(run) >= 8 and max(map(len, words)) < 4  # no MBI has four letters in a row
    return digits >= 5 or is_damaged or bool(_MISTYPED_MBI.fullmatch(run))
