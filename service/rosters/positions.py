"""What a message, a batch or a file of a set is called in a report: by its own name, unless that cannot be shown."""

from __future__ import annotations

import re

from service.domain.identifiers import LOOSE_ALPHABETS
from service.domain.patient_numbers import holds_patient_number

_CONTROL_ID = re.compile(r"(?=.*[0-9])[A-Za-z0-9._-]{1,20}|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
"""Twenty characters (HL7 v2.5, MSH-10), with a number to tell messages apart; or a UUID."""
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,199}")
_SSN = re.compile(r"(?<![0-9])[0-9]{3}[._-]?[0-9]{2}[._-]?[0-9]{4}(?![0-9])")
_NO_SEPARATORS = str.maketrans("", "", "._-")
_MBI = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))


def choose_position(control_id: str, otherwise: str) -> str:
    """Answers a control id (MSH-10, BHS-11, FHS-11) if it is one and no text, and could be no patient's number."""
    return control_id if _CONTROL_ID.fullmatch(control_id) and not _may_be_patient(control_id) else otherwise


def choose_file_name(name: str, otherwise: str) -> str:
    """Answers the name of a file if it is plain, and holds nothing that could be a patient's number."""
    return name if _FILE_NAME.fullmatch(name) and not _may_be_patient(name) else otherwise


def _may_be_patient(name: str) -> bool:
    """Answers whether an MBI, HICN (which holds an SSN) or SSN may stand in a name, also in the midst of others."""
    compact = name.upper().translate(_NO_SEPARATORS)
    return _MBI.search(compact) is not None or _SSN.search(name) is not None or holds_patient_number(name)
