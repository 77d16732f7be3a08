"""What an organisation decided about a feed: how its files are read, for whom it speaks, what is normal for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from service.domain.canonical import Json
from service.domain.errors import InvalidInput
from service.domain.identifiers import is_npi
from service.domain.typed_words import check_words

ENCODINGS = ("utf-8", "utf-16", "windows-1252", "iso-8859-1")
"""What a person may declare; a feed that declares nothing is read by feeds 3.2."""
MAPPABLE_ROLES = (
    "mbi",
    "npi",
    "action",
    "death_date",
    "end_date",
    "first_name",
    "last_name",
    "whole_name",
    "birth_date",
    "gender",
)
"""What a column can be mapped to; the same words as the headings of the roster readers."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The settings of one feed beside its mode, scope and patience.

    `column_mapping` maps a role (mbi, npi ...) to the heading that a person chose, `header_hash` is the header it was
    chosen for, None until one is known. `practitioners` are the NPIs that the feed may speak for, empty for all.
    `expected_every` is the time between deliveries after which silence is an incident, None for no expectation.
    `expects_count` holds a delivery that does not say how many rows it has. `shares_patients` says that its patients
    may well be on the roster of another organisation (shared care, CMS's sample patients), so that this is no sign of a
    misdirected file.
    Percentages say when a delivery waits for a person (reliability S6.5); what takes two people is the same for every
    feed. `max_removals` and `max_removal_percent` bound what one delivery may let go before a person looks; without
    them the guards of the organisation decide alone.
    """

    column_mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    header_hash: str | None = None
    encoding: str | None = None
    practitioners: frozenset[str] = frozenset()
    expected_every_hours: int | None = None
    expects_count: bool = False
    shares_patients: bool = False
    min_rows: int = 0
    rows_down_percent: int = 10
    rows_up_percent: int = 25
    rejected_percent: int = 1
    max_removals: int | None = None
    max_removal_percent: int | None = None

    @property
    def expected_every(self) -> timedelta | None:
        """The longest time between two deliveries that is normal."""
        return timedelta(hours=self.expected_every_hours) if self.expected_every_hours else None


_RANGES: Mapping[str, tuple[int, int]] = {
    "expected_every_hours": (1, 24 * 90),
    "min_rows": (0, 1_000_000),
    "rows_down_percent": (1, 30),
    "rows_up_percent": (1, 100),
    "rejected_percent": (0, 5),
    "max_removals": (0, 100_000),
    "max_removal_percent": (0, 100),
}
"""No threshold may be set beyond the point where two people are needed anyway."""
_MAY_BE_NONE = frozenset({"expected_every_hours", "max_removals", "max_removal_percent"})


def read_feed_settings(stored: Mapping[str, Any]) -> FeedSettings:
    """Read settings from their stored JSON; what is missing has its default, what is unknown is InvalidInput."""
    unknown = sorted(stored.keys() - {item.name for item in fields(FeedSettings)})
    if unknown:
        raise InvalidInput(f"A feed has no setting {unknown[0]}.", next_action=f"Choose among: {_list_names()}.")
    values = dict(stored)
    _check_mapping(values.get("column_mapping", {}))
    _check_header_hash(values.get("header_hash"))
    _check_encoding(values.get("encoding"))
    _check_practitioners(values.get("practitioners", ()))
    _check_numbers(values)
    if "column_mapping" in values:
        values["column_mapping"] = MappingProxyType(dict(values["column_mapping"]))
    if "practitioners" in values:
        values["practitioners"] = frozenset(values["practitioners"])
    return FeedSettings(**values)


def write_feed_settings(settings: FeedSettings) -> dict[str, Json]:
    """Write settings as JSON, without what has its default."""
    written: dict[str, Json] = {}
    for item in fields(FeedSettings):
        value = getattr(settings, item.name)
        if value != getattr(_DEFAULTS, item.name):
            written[item.name] = _write_setting(value)
    return written


def show_feed_settings(settings: FeedSettings) -> dict[str, Json]:
    """Write settings as JSON with every default spelled out, for people and scripts; `read_feed_settings` reads it."""
    return {name: _write_setting(getattr(settings, name)) for name in SETTING_NAMES}


def change_feed_settings(settings: FeedSettings, changes: Mapping[str, Any]) -> FeedSettings:
    """Answer settings with some of them changed; None puts one back to its default. Raises InvalidInput.

    Without its mapping the header that this was chosen for means nothing, so it goes with it; another mapping may come
    with its own, else the first file that counts tells it. Settings are kept in clear, so none may hold a patient's
    number.
    """
    for text in _iter_texts(changes):
        check_words(text, "A setting of a feed")
    kept = write_feed_settings(settings)
    if "column_mapping" in changes and (changes["column_mapping"] or {}) != dict(settings.column_mapping):
        kept.pop("header_hash", None)
    stored = {name: value for name, value in {**kept, **changes}.items() if value is not None}
    return read_feed_settings(stored | dict.fromkeys(changes.keys() - set(SETTING_NAMES)))


def find_due_at(settings: FeedSettings, heard_at: datetime) -> datetime | None:
    """Answer until when the next delivery is expected after the last sign of life; None without an expectation."""
    return heard_at + settings.expected_every if settings.expected_every else None


SETTING_NAMES = tuple(item.name for item in fields(FeedSettings))
"""Every setting that a person may give."""
_DEFAULTS = FeedSettings()
_LONGEST_HEADING = 200
_HASH = re.compile(r"[0-9a-f]{64}")


def _iter_texts(value: object) -> Iterator[str]:
    """Yield every text in what was given, whatever its shape: it is looked at before anything else is."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield str(name)
            yield from _iter_texts(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _iter_texts(one)


def _list_names() -> str:
    return ", ".join(SETTING_NAMES)


def _write_setting(value: Any) -> Json:
    if isinstance(value, frozenset):
        return sorted(value)
    written: Json = dict(value) if isinstance(value, Mapping) else value
    return written


def _check_mapping(mapping: object) -> None:
    if not isinstance(mapping, Mapping) or not all(_is_heading(text) for text in mapping.values()):
        raise InvalidInput(
            "The column mapping must give a heading for each role.",
            next_action=f"Give one text of at most {_LONGEST_HEADING} characters for each role.",
        )
    unknown = sorted(set(mapping) - set(MAPPABLE_ROLES))
    if unknown:
        raise InvalidInput(f"A column cannot be {unknown[0]}.", next_action=f"Use: {', '.join(MAPPABLE_ROLES)}.")
    if len({text.strip().casefold() for text in mapping.values()}) < len(mapping):
        raise InvalidInput("One column cannot be two things.", next_action="Give each role a heading of its own.")


def _is_heading(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and len(text) <= _LONGEST_HEADING


def _check_header_hash(digest: object) -> None:
    if digest is not None and not (isinstance(digest, str) and _HASH.fullmatch(digest)):
        raise InvalidInput(
            "header_hash must be 64 lower-case hexadecimal digits.",
            next_action="Leave it out; it is kept by itself when the columns are chosen from a file.",
            at_terminal="Choose the columns with `rollcall feed map`, which keeps the header's own.",
        )


def _check_encoding(encoding: object) -> None:
    if encoding is not None and encoding not in ENCODINGS:
        raise InvalidInput(f"The encoding must be one of: {', '.join(ENCODINGS)}.")


def _check_practitioners(npis: object) -> None:
    if not isinstance(npis, list | tuple | set | frozenset) or not all(isinstance(n, str) and is_npi(n) for n in npis):
        raise InvalidInput("Practitioners are given by NPIs of ten digits with a right check digit.")


def _check_numbers(values: Mapping[str, Any]) -> None:
    for name in ("expects_count", "shares_patients"):
        if not isinstance(values.get(name, False), bool):
            raise InvalidInput(f"{name} must be true or false.")
    for name, (lowest, highest) in _RANGES.items():
        value = values.get(name, lowest)
        if value is None and name in _MAY_BE_NONE:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise InvalidInput(f"{name} must be a whole number from {lowest} to {highest}.")
