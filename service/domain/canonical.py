"""Canonical JSON (RFC 8785) for the few value types that fingerprints and ledger leaves use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]

_SAFE_INTEGER = 2**53 - 1


def write_canonical_json(value: Json) -> bytes:
    """Answer the RFC 8785 form as UTF-8 bytes.

    Floats, keys outside ASCII and integers beyond 2**53 are refused with TypeError or ValueError: what stays is the
    part of RFC 8785 on which every implementation agrees without number formatting.
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest_json(value: Json) -> str:
    """Answer the SHA-256 of the canonical form, in lower-case hex."""
    return hashlib.sha256(write_canonical_json(value)).hexdigest()


def write_time(moment: datetime) -> str:
    """Answer an aware time as RFC 3339 in UTC with whole seconds and `Z`."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be recorded")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_time(text: str) -> datetime:
    """Read an RFC 3339 time with zone, in UTC; raises ValueError, also where UTC has it beyond the calendar."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time must name its zone, for example 2026-01-31T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


def _check(value: Json) -> None:
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            raise ValueError("an integer beyond 2**53 has no canonical form")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise TypeError("a key must be ASCII text")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    else:
        raise TypeError(f"a {type(value).__name__} has no canonical form")
