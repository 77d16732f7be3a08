"""Whether a text that is kept in clear holds a number of a patient: an MBI, an HICN or a Social Security number."""

from __future__ import annotations

import re
import unicodedata

from service.domain.identifiers import DISPLAY_SEPARATORS, LOOSE_ALPHABETS

_SEPARATORS = DISPLAY_SEPARATORS + "._/"
_ONE = f"[{re.escape(_SEPARATORS)}]"
_GAP = f"{_ONE}?"
_MBI = _GAP.join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS)
_SSN = f"(?:[0-9]{{9}}|[0-9]{{3}}{_ONE}[0-9]{{2}}{_ONE}[0-9]{{4}})"
_HICN = f"{_SSN}{_GAP}[A-Z][A-Z0-9]?"
_RAILROAD_LETTERS = "W?CA|WC[DH]|[AH]|[MPW][AH]|[PW]D|JA"
"""What the Railroad Retirement Board wrote before its numbers. Before six digits other letters are no sign of one."""
_RAILROAD = f"[A-Z]{{1,3}}{_GAP}{_SSN}|(?:{_RAILROAD_LETTERS}){_GAP}[0-9]{{6}}"
_LABEL = "(?:MBI|HICN?|SSN|MRN|ID)?"
_NUMBER = re.compile(f"(?<![A-Z0-9]){_LABEL}(?:{_MBI}|{_RAILROAD}|{_HICN}|{_SSN})(?![A-Z0-9])")
_UUID = re.compile(r"(?<![A-Z0-9])[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}(?![A-Z0-9])")


def holds_patient_number(text: str) -> bool:
    """Answers whether a text holds an MBI-shaped number, an HICN or nine digits like those of an SSN (feeds 2.2).

    A number counts where it stands by itself, with or without its usual separators, in any case and behind a label
    such as `MBI`. Digits of another count than nine, dates, phone numbers and UUIDs are no patient's number.
    """
    upper = unicodedata.normalize("NFKC", text).upper()
    return _NUMBER.search(_UUID.sub(" ", upper)) is not None
