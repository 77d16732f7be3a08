"""Identifiers, UUIDs and the HTML check as DPC applies them (contract-v1 1.4, 3.1 and 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"

_NPI = re.compile(r"[0-9]{10}")
_MBI = re.compile(r"[0-9][a-zA-Z][a-zA-Z0-9][0-9][a-zA-Z][a-zA-Z0-9][0-9][a-zA-Z]{2}[0-9]{2}")
_UUID = re.compile(r"([0-9a-fA-F]{1,8})-([0-9a-fA-F]{1,4})-([0-9a-fA-F]{1,4})-([0-9a-fA-F]{1,4})-([0-9a-fA-F]{1,12})")
_HTML = re.compile(r"[<>]|(?<! )&|&(?! )")


def is_npi(text: str) -> bool:
    """Ten digits, Luhn-valid with the prefix 80840 (contract-v1 5)."""
    if not _NPI.fullmatch(text):
        return False
    total = 0
    for position, digit in enumerate(reversed("80840" + text)):
        number = int(digit) * (1 + position % 2)
        total += number // 10 + number % 10
    return total % 10 == 0


def is_mbi(text: str) -> bool:
    """DPC's loose pattern (contract-v1 5)."""
    return _MBI.fullmatch(text) is not None


def has_html(text: str) -> bool:
    """Whether cleaning away all tags would change the text (contract-v1 1.4)."""
    return bool(text.strip()) and _HTML.search(text) is not None


def find_uuid(text: str | None) -> str | None:
    """The canonical form of a UUID in Java's lenient syntax, or None."""
    found = _UUID.fullmatch(text or "")
    if found is None:
        return None
    return "-".join(part.lower().zfill(width) for part, width in zip(found.groups(), (8, 4, 4, 4, 12), strict=True))


def as_objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects of a FHIR list; a single object stands for a list of one (contract-v1 2.5)."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def as_texts(value: object) -> list[str]:
    """The non-empty strings of a FHIR list of primitives."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def as_object(value: object) -> Mapping[str, Any]:
    """A JSON object, empty when there is none."""
    return value if isinstance(value, dict) else {}
