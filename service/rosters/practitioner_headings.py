"""Which headings make a table a list of practitioners, and never a roster whose MBI heading is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.rosters.headings import HEADINGS, Header, hash_header, simplify_heading

_OF_PRACTITIONERS = "(?P<whose>provider|practitioner|physician|pcp)?"
_FIRST_NAME = re.compile(f"{_OF_PRACTITIONERS}(?:firstname|fname|given|givenname)")
_LAST_NAME = re.compile(f"{_OF_PRACTITIONERS}(?:lastname|lname|surname|family|familyname)")
_ABOUT_PRACTITIONERS = re.compile(
    f"{_OF_PRACTITIONERS}(?:prefix|title|salutation|middlename|middleinitial|mname|(?:name)?suffix|credentials?|degrees?"
    "|(?:primary|sub)?specialt(?:y|ies)(?:code|name|description)?|(?:primary)?taxonomy(?:code|name|description)?"
    "|active|isactive|status)|(?:provider|practitioner|physician)type"
)
_OF_A_PATIENT = re.compile("(?:attributed|attending|rendering|pcp|primarycareprovider|va).*")
"""Headings of an NPI that say what its practitioner is to the patient of the row."""


def find_practitioner_header(cells: Sequence[str]) -> Header | None:
    """Answers the header of a list of practitioners: an NPI, first and last name, and otherwise only what is known to
    describe practitioners.

    A roster whose MBI heading is unknown has the same columns and one more; the names of patients are never taken for
    those of practitioners. So one unknown heading refuses the table, and so do names that could be those of the
    patients to whom a rendering or attributed practitioner belongs. Columns without heading are in no role.
    """
    columns: dict[str, int] = {}
    for place, cell in enumerate(cells):
        word = simplify_heading(cell)
        role = _find_role(word) if word else None
        if role is None and cell.strip():
            return None
        if role in columns:
            return None
        if role is not None:
            columns[role if role != "other" else f"other {place}"] = place
    if not {"npi", "first_name", "last_name"} <= columns.keys():
        return None
    if _OF_A_PATIENT.fullmatch(simplify_heading(cells[columns["npi"]])) and not _names_practitioners(cells, columns):
        return None
    return Header(columns, len(cells), hash_header(cells))


def _find_role(word: str) -> str | None:
    """Answers what a heading means in a list of practitioners, None if it need not belong to one."""
    if HEADINGS.get(word) == "npi":
        return "npi"
    for role, pattern in (("first_name", _FIRST_NAME), ("last_name", _LAST_NAME), ("other", _ABOUT_PRACTITIONERS)):
        if pattern.fullmatch(word):
            return role
    return None


def _names_practitioners(cells: Sequence[str], columns: dict[str, int]) -> bool:
    """Answers whether both headings of names say that they are those of practitioners."""
    first = _FIRST_NAME.fullmatch(simplify_heading(cells[columns["first_name"]]))
    last = _LAST_NAME.fullmatch(simplify_heading(cells[columns["last_name"]]))
    return bool(first and first["whose"] and last and last["whose"])
