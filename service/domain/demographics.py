"""Whether what is known of a person is enough, and clean enough, for DPC to register them."""

from __future__ import annotations

import re
from datetime import date

_BARE_AMPERSAND = re.compile(r"(?<! )&|&(?! )")


def is_registrable_name(text: str | None) -> bool:
    """True for a name that DPC's check for HTML lets pass: no `<`, `>` and no `&` without spaces (contract-v1 1.4)."""
    if not text or not text.strip():
        return False
    return not (set(text) & set("<>")) and not _BARE_AMPERSAND.search(text)


def is_registrable_patient(given: str | None, family: str | None, birth_on: date | None, gender: str | None) -> bool:
    """True when name, birth date and gender are known, without which DPC v1 registers nobody (contract-v1 8)."""
    return is_registrable_name(given) and is_registrable_name(family) and birth_on is not None and bool(gender)
