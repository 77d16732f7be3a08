"""What an organisation decided about a feed: how its files are read, for whom it speaks, what is normal for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from service.domain.canonical import Json
from service.domain.errors import InvalidInput
from service.domain.identifiers import is_npi

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
    chosen for. `practitioners` are the NPIs that the feed may speak for, empty for all. `expected_every` is the time
    between deliveries after which silence is an incident, None for no expectation. `expects_count` holds a delivery
    that does not say how many rows it has. Percentages say when a delivery waits for a person (reliability S6.5); what
    takes two people is the same for every feed. `max_removals` and `max_removal_percent` bound what one delivery may
    let go before a person looks; without them the guards of the organisation decide alone.
    """

    column_mapping: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    header_hash: str | None = None
    encoding: str | None = None
    practitioners: frozenset[str] = frozenset()
    expected_every_hours: int | None = None
    expects_count: bool = False
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
        if value == getattr(_DEFAULTS, item.name):
            continue
        if isinstance(value, frozenset):
            value = sorted(value)
        written[item.name] = dict(value) if isinstance(value, Mapping) else value
    return written


_DEFAULTS = FeedSettings()


def _list_names() -> str:
    return ", ".join(item.name for item in fields(FeedSettings))


def _check_mapping(mapping: object) -> None:
    if not isinstance(mapping, Mapping) or not all(isinstance(v, str) and v.strip() for v in mapping.values()):
        raise InvalidInput("The column mapping must give a heading for each role.")
    unknown = sorted(set(mapping) - set(MAPPABLE_ROLES))
    if unknown:
        raise InvalidInput(f"A column cannot be {unknown[0]}.", next_action=f"Use: {', '.join(MAPPABLE_ROLES)}.")


def _check_encoding(encoding: object) -> None:
    if encoding is not None and encoding not in ENCODINGS:
        raise InvalidInput(f"The encoding must be one of: {', '.join(ENCODINGS)}.")


def _check_practitioners(npis: object) -> None:
    if not isinstance(npis, list | tuple | set | frozenset) or not all(isinstance(n, str) and is_npi(n) for n in npis):
        raise InvalidInput("Practitioners are given by NPIs of ten digits with a right check digit.")


def _check_numbers(values: Mapping[str, Any]) -> None:
    if not isinstance(values.get("expects_count", False), bool):
        raise InvalidInput("expects_count must be true or false.")
    for name, (lowest, highest) in _RANGES.items():
        value = values.get(name, lowest)
        if value is None and name in _MAY_BE_NONE:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise InvalidInput(f"{name} must be a whole number from {lowest} to {highest}.")
