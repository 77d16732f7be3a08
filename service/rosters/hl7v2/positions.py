"""What a message or batch is called in a report: its control id, unless that cannot be shown."""

from __future__ import annotations

import re

from service.domain.identifiers import DISPLAY_SEPARATORS, LOOSE_ALPHABETS

_LONGEST = 199
"""Characters of a control id (HL7 v2.7, MSH-10)."""
_MBI = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))
_HICN_OR_SSN = re.compile(r"(?<![0-9])(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{9}[A-Z][A-Z0-9]?)(?![A-Za-z0-9])")
_NO_SEPARATORS = str.maketrans("", "", DISPLAY_SEPARATORS)


def choose_position(control_id: str, otherwise: str) -> str:
    """Answers the control id (MSH-10, BHS-11, FHS-11) if it is short, printable and holds no number of a patient."""
    if not control_id or len(control_id) > _LONGEST or not control_id.isprintable():
        return otherwise
    upper = control_id.upper()
    if _HICN_OR_SSN.search(upper) or _MBI.search(upper.translate(_NO_SEPARATORS)):
        return otherwise
    return control_id
