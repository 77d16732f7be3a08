"""Which heading means what, and which columns of a header a roster is read from (feeds 3.3 and 3.4)."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ACCEPTED = {
    "mbi": """mbi mbiid mbinumber medicarebeneficiaryidentifier medicarebeneficiaryid medicareid medicarenumber
        medicareno benembiid benembi beneficiarymbi patientmbi membermbi currentmbi""",
    "npi": """npi npinumber providernpi renderingnpi renderingprovidernpi attributednpi attributedprovidernpi
        attributedphysiciannpi pcpnpi primarycareprovidernpi primarycareprovidernationalprovideridentifier
        attendingnpi attendingprovidernpi practitionernpi physiciannpi individualnpi nationalprovideridentifier
        nationalproviderid vanpi""",
    "organization_npi": "billingnpi billingprovidernpi groupnpi organizationnpi orgnpi facilitynpi",
    "forbidden": "hicn hic benehicnum ssn socialsecuritynumber",
    "birth_date": "dob dateofbirth birthdate birthdt benebrthdt benedob patientdob",
    "first_name": "firstname fname given bene1stname memberfirstname",
    "last_name": "lastname lname surname family benelastname memberlastname",
    "whole_name": "name patientname membername",
    "gender": "gender sex benesexcd",
    "action": "action actioncode changetype addremove transactiontype maintenancetype activeorremoved recordaction",
    "death_date": "benedeathdt dateofdeath deathdate dod deceaseddate",
    "start_date": "effectivedate startdate attributionstart",
    "end_date": "termdate terminationdate enddate attributionend",
}

ROLES = tuple(_ACCEPTED)
HEADINGS: Mapping[str, str] = {word: role for role, words in _ACCEPTED.items() for word in words.split()}
PERSON_ROLES = ("first_name", "last_name", "whole_name", "birth_date", "gender")
"""Columns that no pair depends on: when two compete, neither is used."""
PAIR_ROLES = ("mbi", "npi", "action", "death_date", "end_date")
READ_ROLES = (*PAIR_ROLES, *PERSON_ROLES, "start_date")
"""A start decides about no pair; but its dates show whether a file writes the days first."""


@dataclass(frozen=True, slots=True)
class Header:
    """A recognised header row: where each role stands, how many cells a row has, and the hash of the headings.

    `error` is set when a person has to choose between columns or to confirm them again; `start` is the first column
    with a heading; `lists_changes` says that some column speaks of actions.
    """

    columns: Mapping[str, int]
    width: int
    hash: str
    error: str | None = None
    start: int = 0
    lists_changes: bool = False


def simplify_heading(text: str) -> str:
    """Answers a heading as it is compared: lower case, letters and digits only."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", text.lower())))


def hash_header(cells: Sequence[str]) -> str:
    """Answers the SHA-256 of the headings in their order, so that swapped columns are noticed.

    Columns without heading behind the last one do not count: in a workbook a remark beside the table makes some.
    """
    words = "\x1f".join(map(simplify_heading, cells))
    return hashlib.sha256(words.rstrip("\x1f").encode()).hexdigest()


def find_roster_header(cells: Sequence[str], mapping: Mapping[str, str], expected_hash: str | None) -> Header | None:
    """Answers the header if the row has an MBI and an NPI heading, or the mapped ones."""
    places = place_roles(cells, mapping)
    if not places.get("mbi") or not places.get("npi"):
        return None
    digest = hash_header(cells)
    error = None
    if expected_hash is not None and expected_hash != digest:
        error = "header_changed"
    elif any(len(places.get(role, ())) > 1 for role in PAIR_ROLES):
        error = "ambiguous_columns"
    columns = {role: found[0] for role, found in places.items() if role in READ_ROLES and len(found) == 1}
    start = next((place for place, cell in enumerate(cells) if cell.strip()), 0)
    return Header(columns, len(cells), digest, error, start, "action" in places)


def place_roles(cells: Sequence[str], mapping: Mapping[str, str]) -> dict[str, list[int]]:
    """Answers the columns that claim each role; a mapped role is claimed by its heading alone.

    No mapping makes a patient's or practitioner's number of a Social Security number, or a practitioner of an
    organization.
    """
    chosen = {role: _name_heading(heading) for role, heading in mapping.items()}
    places: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        word = simplify_heading(cell)
        role = HEADINGS.get(word)
        named = word or cell.strip()
        mapped = [name for name, heading in chosen.items() if heading == named and _may_be(role, name)]
        for claimed in mapped or ([role] if role and role not in chosen else []):
            places.setdefault(claimed, []).append(index)
    return places


def _name_heading(text: str) -> str:
    """Answers what a mapping compares: the heading as it is compared, or as it is where no letter is left of it."""
    return simplify_heading(text) or text.strip()


def _may_be(meaning: str | None, role: str) -> bool:
    """Answers whether a heading of a known meaning may be mapped to a role (feeds 3.4)."""
    return meaning != "forbidden" and not (meaning == "organization_npi" and role == "npi")
