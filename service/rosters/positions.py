"""What a message, a batch or a file of a set is called in a report: by its own name, unless that cannot be shown."""

from __future__ import annotations

import re

from service.domain.identifiers import DISPLAY_SEPARATORS, LOOSE_ALPHABETS

_LONGEST = 199
"""Characters of a control id (HL7 v2.7, MSH-10)."""
_MBI = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))
_HICN_OR_SSN = re.compile(r"(?<![0-9])(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{9}[A-Z][A-Z0-9]?)(?![A-Za-z0-9])")
_NO_SEPARATORS = str.maketrans("", "", DISPLAY_SEPARATORS)


def choose_position(name: str, otherwise: str) -> str:
    """Answers a control id (MSH-10, BHS-11, FHS-11) or file name if it is short, printable and no patient's number."""
    if not name or len(name) > _LONGEST or not name.isprintable():
        return otherwise
    upper = name.upper()
    if _HICN_OR_SSN.search(upper) or _MBI.search(upper.translate(_NO_SEPARATORS)):
        return otherwise
    return name
