"""Which numbers of a trailer count the rows (feeds 3.3): a part of a roster may hold any of its other numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    r"(?<![0-9])(?:[0-9]{1,4}[/-][0-9]{1,2}[/-][0-9]{1,4}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}"
    r"|[0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2})?)(?![0-9])"
)
_MAY_BE_DATE = re.compile(
    rf"\b[0-9]{{1,2}}(?:st|nd|rd|th)?[ -]?{_MONTH}\b\.?(?:,?[ -]?[0-9]{{2,4}}\b)?"
    rf"|\b{_MONTH}\b\.?[ -]?(?:[0-9]{{1,2}}(?:st|nd|rd|th)?\b(?:,? ?[0-9]{{4}}\b)?|[0-9]{{4}}\b)"
    r"|(?<![0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{4}(?:[0-9]{2})?)?(?![0-9])",
    re.IGNORECASE,
)
"""Like a date, but where a trailer has no other number this may be the count."""
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_END_OF_FILE = re.compile(r"end\s+of\s+file\b", re.IGNORECASE)
"""What is said of this one file: a number behind it is not that of the file."""
_FIRST_WORD = re.compile("[A-Za-z]+")
_RUN = re.compile("[0-9A-Za-z]+")
_TOKEN = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+(?:\.[0-9]+)?|[A-Za-z]+|[:=;,-]")
_ROWS = re.compile("rows?|records?|counts?", re.IGNORECASE)
_WHOLE = re.compile("totals?|trailer", re.IGNORECASE)
_COUNTED = re.compile(f"(?:{_ROWS.pattern}|{_WHOLE.pattern})", re.IGNORECASE)
_NUMBERED = re.compile("pages?|pg|batch(?:es)?|files?|sheets?|parts?", re.IGNORECASE)
_PEOPLE = re.compile(
    "patients?|members?|beneficiar(?:y|ies)|people|persons?|providers?|practitioners?|physicians?|npis?", re.IGNORECASE
)
_MOST_DIGITS = 15
"""No count has as many; what has more is cut, so that it stays a number that a column can hold."""


def read_counts(text: str) -> tuple[tuple[int, ...], ...]:
    """Answers what the text of a trailer states: of each tuple, one number must be that of the rows.

    A number beside "rows", "records", "count", "total" or "trailer" is a count of its own, and so is the whole in "2 of
    22". Where no number stands beside such a word, any of them may be the count; those of dates and pages are none, if
    there is another or no such word.
    """
    text = _END_OF_FILE.sub("End", text)
    undated = _DATE.sub(" ", text)
    tokens = _split(strip_dates(text))
    is_counting = any(map(is_of_counts, tokens))
    if is_counting and not any(map(_is_number, tokens)):
        tokens = _split(undated)
    numbers = {place for place, token in enumerate(tokens) if _is_number(token)}
    free = {place for place in numbers if not _is_of_pages(tokens, place)} or (numbers if is_counting else set())
    of_rows = _find_beside(tokens, free, _ROWS)
    of_all = [
        place
        for place in _find_beside(tokens, free, _WHOLE)
        if not (of_rows and place + 1 < len(tokens) and _PEOPLE.fullmatch(tokens[place + 1]))
    ]
    stated = sorted({*of_rows, *of_all})
    if stated:
        return tuple(_read_stated(tokens, place) for place in stated)
    return (tuple(_read_number(tokens[place]) for place in sorted(free)),) if free else ()


def strip_dates(text: str) -> str:
    """Answers the text of a trailer without what is, or may be, a date."""
    return _MAY_BE_DATE.sub(" ", _DATE.sub(" ", text))


def is_of_counts(word: str) -> bool:
    """Answers whether a number beside or joined to a word counts rows."""
    return _COUNTED.fullmatch(word) is not None


def _read_stated(tokens: Sequence[str], place: int) -> tuple[int, ...]:
    """Answers the number that is stated; beside it the count that follows what may be a year, as in "Total 2021, 2"."""
    number = _read_number(tokens[place])
    if not _YEAR.fullmatch(tokens[place]) or tokens[place - 1] in ":=":
        return (number,)
    behind = place + 1
    while behind < len(tokens) and tokens[behind] in ",;:=":
        behind += 1
    return (_read_number(tokens[behind]), number) if behind < len(tokens) and _is_number(tokens[behind]) else (number,)


def _split(text: str) -> list[str]:
    """Answers words, numbers and the marks between them; a number that is glued to a word about no rows is none."""
    first = _FIRST_WORD.match(text)
    start = first.end() if first else 0
    return [text[:start], *_TOKEN.findall(_RUN.sub(_keep_if_counted, text[start:]))]


def _keep_if_counted(run: re.Match[str]) -> str:
    text = run.group()
    if text.isdigit() or text.isalpha() or all(map(is_of_counts, _FIRST_WORD.findall(text))):
        return text
    return " x "


def _find_beside(tokens: Sequence[str], free: Set[int], pattern: re.Pattern[str]) -> set[int]:
    """Answers where the numbers stand that belong to a word: behind it and a colon, or else before or behind it."""
    found: set[int] = set()
    for place in (place for place, token in enumerate(tokens) if pattern.fullmatch(token)):
        behind = place + 1
        while behind < len(tokens) and tokens[behind] in ":=-":
            behind += 1
        is_led_to = any(mark in ":=" for mark in tokens[place + 1 : behind])
        if place - 1 in free and not (is_led_to and behind in free):
            found |= {place - 1, *_follow(tokens, free, place - 1)}
        elif behind in free:
            found |= _follow(tokens, free, behind)
    return found


def _follow(tokens: Sequence[str], free: Set[int], place: int) -> set[int]:
    """Answers the place of a count, or that of the end of a range, and that of the whole that it is a part of."""
    if place + 2 in free and tokens[place + 1].lower() in ("-", "to"):
        place += 2
    if place + 2 in free and tokens[place + 1].lower() == "of":
        return {place, place + 2}
    return {place}


def _is_of_pages(tokens: Sequence[str], place: int) -> bool:
    """Answers whether a number is that of a page, or how many there are."""
    if place + 1 < len(tokens) and _NUMBERED.fullmatch(tokens[place + 1]):
        return True
    return _follows_page(tokens, place) or (tokens[place - 1].lower() == "of" and _follows_page(tokens, place - 2))


def _follows_page(tokens: Sequence[str], place: int) -> bool:
    before = place - 1
    while before > 0 and tokens[before] in ":=-":
        before -= 1
    return before >= 0 and bool(_NUMBERED.fullmatch(tokens[before]))


def _is_number(token: str) -> bool:
    return token[:1].isdigit()


def _read_number(token: str) -> int:
    digits = token.replace(",", "").partition(".")[0].lstrip("0") or "0"
    return int(digits[:_MOST_DIGITS])
