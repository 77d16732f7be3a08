"""The emulator's clock: real, shifted or frozen, and the arithmetic of instants and ISO durations."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODES = ("real", "frozen")

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


@dataclass
class Clock:
    """The one clock of an emulator; `offset` counts in real mode, `frozen_at` in frozen mode."""

    mode: str = "real"
    offset: timedelta = timedelta()
    frozen_at: datetime = EPOCH

    def now(self) -> datetime:
        """The emulated instant, in UTC."""
        return self.frozen_at if self.mode == "frozen" else datetime.now(UTC) + self.offset

    def set_now(self, at: datetime) -> None:
        """Make `at` the present; a real clock goes on from there."""
        self.frozen_at = at
        self.offset = at - datetime.now(UTC)

    def set_mode(self, mode: str) -> None:
        """Freeze or let run, without a jump. Raises ValueError for an unknown mode."""
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}")
        now = self.now()
        self.mode = mode
        self.set_now(now)


def add_months(at: datetime, months: int) -> datetime:
    """`at` moved by calendar months; the day is clamped to the month's last, as java.time does."""
    index = at.year * 12 + at.month - 1 + months
    year, month = divmod(index, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


def move_by(at: datetime, duration: str) -> datetime:
    """`at` moved by an ISO 8601 duration such as P76D or P1DT2H30M. Raises ValueError when unreadable."""
    found = _DURATION.fullmatch(duration)
    if not found or not any(found[name] for name in found.re.groupindex if name != "sign"):
        raise ValueError("advance is an ISO 8601 duration such as P76D or PT90M")
    sign = -1 if found["sign"] else 1
    number = {name: float(text) for name, text in found.groupdict().items() if text and name != "sign"}
    moved = add_months(at, sign * int(number.pop("years", 0) * 12 + number.pop("months", 0)))
    return moved + sign * timedelta(**number)


def read_instant(text: str) -> datetime:
    """An RFC 3339 instant in UTC; without an offset it is taken as UTC. Raises ValueError when unreadable."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def floor_hour(at: datetime) -> datetime:
    """The last full hour at or before `at`."""
    return at.replace(minute=0, second=0, microsecond=0)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """The UTC instant of a number of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


@lru_cache(maxsize=4096)
def format_seconds(microseconds: int) -> str:
    """Group periods on the wire: whole seconds and +00:00 (contract-v1 9.3)."""
    return from_us(microseconds).strftime("%Y-%m-%dT%H:%M:%S+00:00")


@lru_cache(maxsize=4096)
def format_milliseconds(microseconds: int) -> str:
    """JSON models and lastUpdated on the wire: milliseconds and +00:00 (contract-v1 4.2)."""
    return from_us(microseconds).isoformat(timespec="milliseconds")


def format_java(at: datetime) -> str:
    """Java's OffsetDateTime.toString in UTC: Z, fraction of 0, 3 or 6 digits, zero seconds left out (4.7)."""
    if at.microsecond:
        unit = "microseconds" if at.microsecond % 1000 else "milliseconds"
        return at.isoformat(timespec=unit).replace("+00:00", "Z")
    return at.strftime("%Y-%m-%dT%H:%M:%SZ" if at.second else "%Y-%m-%dT%H:%MZ")
