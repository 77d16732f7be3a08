"""Every code a roster can earn, what it means to people, and findings kept as columns until somebody reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from service.rosters.limits import (
    FREE_SHEET_LINES,
    MAX_COLUMNS,
    MAX_EXPANDED_BYTES,
    MAX_FIELD,
    MAX_JSON_DEPTH,
    MAX_JSON_VALUES,
    MAX_LINE_BYTES,
    MAX_ROWS,
)

Severity = Literal["error", "warning"]

ERROR_SENTENCES: dict[str, str] = {
    "mbi_missing": "The row has no MBI, or a formula without its value; add the patient's Medicare number.",
    "mbi_length": "The MBI does not have eleven characters; copy it again from the card.",
    "mbi_format": "The MBI has a letter where a digit belongs or the reverse, often O for 0; correct it.",
    "mbi_excluded_letter": "The MBI holds S, L, O, I, B or Z, which CMS never issues; copy it again from the card.",
    "mbi_leading_zero": "An MBI never begins with 0; copy it again from the card.",
    "mbi_is_hicn": "This is the old Medicare number (HICN), which holds a Social Security number; send the MBI.",
    "mbi_is_ssn": "This is a Social Security number; send the MBI and stop sending this column.",
    "mbi_real_in_sandbox": "This could be a real person's MBI and must not enter a sandbox; send synthetic numbers.",
    "mbi_synthetic_in_production": "This is a sandbox MBI, which stands for nobody; send the patient's own number.",
    "multiple_mbi": "The patient has several current MBIs; send only the current one.",
    "npi_missing": "The row has no NPI, or a formula without its value; add that of the treating practitioner.",
    "npi_length": "The NPI does not have ten digits; copy it again from the registry.",
    "npi_format": "The NPI is not ten plain digits; send one number per cell, as text.",
    "npi_scientific": "The spreadsheet shortened the NPI (3.9E+09); format the column as text and export again.",
    "npi_luhn": "The NPI's check digit is wrong; look the practitioner up in the registry.",
    "npi_first_digit": "An NPI begins with 1 or 2; look the practitioner up in the registry.",
    "provider_is_org": "The number belongs to an organization; send the NPI of the treating person.",
    "ragged_row": "The row has more or fewer cells than the header; quote cells that hold the delimiter.",
    "bad_action": "The action is blank or unknown; use add or delete.",
    "conflicting_actions": "The same pair is both added and removed in this file; keep one of the two rows.",
    "deceased_hold": "The row gives a date of death; a person must decide about this patient.",
    "bad_end_date": "The end date cannot be read, so nobody knows whether the pair still holds; use YYYY-MM-DD.",
    "unresolved_reference": "The reference leads to nothing in this input; send the resource along.",
    "unsupported_subgroup": "A member of the Group is itself a Group; send its members instead.",
    "formula_without_value": "The cell is a formula without a stored value; save the workbook and send it again.",
    "npi_not_of_feed": (
        "The feed may not speak for this practitioner; "
        "add the practitioner to the feed's list or send the row elsewhere."
    ),
}
"""Rows that contribute no pair (feeds 6); `bad_end_date` and `formula_without_value` are our own names."""

WARNING_SENTENCES: dict[str, str] = {
    "duplicate_row": "The same pair occurs earlier in this file; nothing needs doing.",
    "mbi_multiple_npi": "The patient is listed with several practitioners; check that all of them treat the patient.",
    "attribution_ended": "The row's end date has passed, so it does not support the pair; nothing needs doing.",
    "dob_unparseable": "The birth date cannot be read; use YYYY-MM-DD.",
    "dob_two_digit_year": "The birth year has two digits and was read as 19xx; use YYYY-MM-DD.",
    "dob_excel_serial": "The birth date is a spreadsheet serial number; format the column as a date.",
    "dob_partial": "The birth date lacks a day or month; send it whole.",
    "event_ignored": "This kind of message says nothing about the roster; nothing needs doing.",
    "npi_untagged": "A number that could be an NPI is not marked as one and was not used; tag it as NPI.",
    "hidden_rows": "The sheet hides rows that were read as well; send what you see.",
    "trailer_missing": "The batch has no trailer with a count; ask the sender to switch it on.",
    "demographics_differ": (
        "Rows of this file disagree about the patient's name or birth date; find out which is right, and correct it."
    ),
    "demographics_conflict": (
        "Two sources disagree about the patient's name or birth date; find out which is right, and correct the source."
    ),
    "joined_patients": (
        "By a changed MBI this patient would be one with another, or have another MBI than was told before; "
        "find out whose number it is before the file counts."
    ),
}
"""Remarks that block nothing (feeds 6)."""

FILE_SENTENCES: dict[str, str] = {
    "encoding_undecodable": (
        "The file's characters cannot be read, or it is not in the encoding that its feed is set to; "
        "save it as UTF-8, or as the feed is set."
    ),
    "header_unrecognised": "No row of the first twenty names both an MBI and an NPI column; add headings.",
    "header_changed": "The headings differ from those that were mapped for this feed; confirm the mapping again.",
    "ambiguous_columns": "Two columns could be the MBI or the NPI; choose one for this feed.",
    "ambiguous_sheets": "Not exactly one sheet holds headings of a roster; send one sheet with headings.",
    "truncated": "The file breaks off before its end; send it again, complete.",
    "count_mismatch": "The count given in the file differs from its rows; send it again, complete.",
    "digest_mismatch": "The last line states another SHA-256 than that of the lines before it; send the file again.",
    "date_order_conflict": "More than a tenth of the dates in a column have no such month; use YYYY-MM-DD.",
    "stale_input": "A newer input of this feed has been applied; send today's.",
    "too_large": (
        f"The file or a part of it is larger than any roster needs: more than {MAX_ROWS:,} rows, "
        f"{MAX_COLUMNS:,} columns, {MAX_FIELD:,} characters in a cell, {MAX_LINE_BYTES:,} bytes in a line, "
        f"{MAX_EXPANDED_BYTES >> 20} MiB unpacked, {MAX_JSON_VALUES:,} values of JSON that are read (fewer where they "
        f"name nothing) in {MAX_JSON_DEPTH} levels, or {FREE_SHEET_LINES:,} mostly blank lines of a workbook; "
        "check the export."
    ),
    "unsupported_format_x12": "X12 files are not read; export the roster as CSV.",
    "unsupported_format_xlsx": "This Excel workbook is damaged or unusual; save the sheet as CSV UTF-8.",
    "unsupported_format_xls": "Excel workbooks of the old kind are not read; save it as .xlsx or as CSV UTF-8.",
    "unsupported_format_encrypted": "The workbook is protected by a password; save it without one, or as CSV UTF-8.",
    "unsupported_format_gzip": (
        "The file, or one of an export, is a damaged gzip or was compressed twice; "
        "compress it once, or send it unpacked."
    ),
    "unsupported_format_zip": "Archives are not read; send the file unpacked.",
    "unsupported_format_7z": "7z archives are not read; send the file unpacked, or compressed with gzip.",
    "unsupported_format_rar": "RAR archives are not read; send the file unpacked, or compressed with gzip.",
    "unsupported_format_rtf": "RTF documents are not read; export the roster as CSV.",
    "unsupported_format_pdf": "PDF files are not read; export the roster as CSV.",
    "unsupported_format_xml": "XML is not read; send FHIR as JSON, or CSV.",
    "unsupported_format_hl7v2": "These HL7 v2 messages cannot be read; send ADT messages, or CSV.",
    "unsupported_format_json": (
        "This JSON is no roster, or its envelope gives no known mode, no time with a zone as as_of or no sequence; "
        "send pairs of mbi and npi, a FHIR Group or Bundle, or CSV."
    ),
    "unsupported_format_ndjson": (
        "This NDJSON is not a roster; send FHIR resources, one a line, those of an export behind its manifest, or CSV."
    ),
    "unsupported_format_mismatch": "The file is not of the kind that its Content-Type names; correct one of the two.",
}
"""Faults of a whole file, for which nothing is applied (feeds 6)."""

CODES: tuple[str, ...] = ("", *ERROR_SENTENCES, *WARNING_SENTENCES)
"""Every code of a row; its place is its number in columns, 0 stands for none."""
CODE_INDEX: dict[str, int] = {code: index for index, code in enumerate(CODES)}
FIRST_WARNING = 1 + len(ERROR_SENTENCES)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one row: its position and a code, never its value.

    `blind` says that we cannot tell whom the row is about, so that no removal of this input is safe.
    """

    position: str
    code: str
    severity: Severity
    blind: bool

    @property
    def sentence(self) -> str:
        """The finding in one sentence for people, with the repair."""
        return describe_finding(self.code)


def describe_finding(code: str) -> str:
    """Answers one sentence for people about a code of a row or a file, with the repair."""
    for sentences in (ERROR_SENTENCES, WARNING_SENTENCES, FILE_SENTENCES):
        if code in sentences:
            return sentences[code]
    return "The file is of a kind that is not read; export the roster as CSV."


class Findings(Sequence[Finding]):
    """Findings in input order, kept as columns; a `Finding` is made only when one is asked for."""

    __slots__ = ("_blind", "_codes", "_positions")

    def __init__(
        self,
        positions: NDArray[np.int32] | Sequence[str],
        codes: NDArray[np.uint8],
        blind: NDArray[np.bool_],
    ) -> None:
        self._positions = positions
        self._codes = codes
        self._blind = blind

    def __len__(self) -> int:
        return len(self._codes)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        if isinstance(index, slice):
            return Findings(self._positions[index], self._codes[index], self._blind[index])
        code = int(self._codes[index])
        severity: Severity = "error" if code < FIRST_WARNING else "warning"
        return Finding(str(self._positions[index]), CODES[code], severity, bool(self._blind[index]))

    def __iter__(self) -> Iterator[Finding]:
        for index in range(len(self)):
            yield self[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def insert(self, more: Sequence[Finding]) -> Findings:
        """Answers these findings with more of them, in file order.

        Where positions are no lines (pointers, control ids), what concerns a position stays together, and what alone
        concerns one comes last.
        """
        said = [one.position for one in more]
        if isinstance(self._positions, np.ndarray):
            places = [*self._positions.tolist(), *map(int, said)]
        else:
            last = {position: place for place, position in enumerate(self._positions)}
            places = [*range(len(self)), *(last.get(position, len(self)) for position in said)]
        order = np.argsort(np.array(places, np.int64), kind="stable")
        codes = np.concatenate([self._codes, np.array([CODE_INDEX[one.code] for one in more], np.uint8)])
        blind = np.concatenate([self._blind, np.array([one.blind for one in more], np.bool_)])
        if isinstance(self._positions, np.ndarray):
            return Findings(np.array(places, np.int32)[order], codes[order], blind[order])
        names = [*self._positions, *said]
        return Findings([names[place] for place in order.tolist()], codes[order], blind[order])

    def add_warnings(self, lines: Sequence[int], code: str) -> Findings:
        """Answers these findings, whose positions are lines, with one more warning on each of the given lines."""
        positions = np.concatenate([np.asarray(self._positions, np.int32), np.asarray(lines, np.int32)])
        codes = np.concatenate([self._codes, np.full(len(lines), CODE_INDEX[code], np.uint8)])
        blind = np.concatenate([self._blind, np.zeros(len(lines), np.bool_)])
        order = np.argsort(positions, kind="stable")
        return Findings(positions[order], codes[order], blind[order])

    def count_codes(self) -> dict[str, int]:
        """Answers how often each code occurs, without making a `Finding`."""
        counts = np.bincount(self._codes, minlength=len(CODES))
        return {CODES[index]: int(counts[index]) for index in np.flatnonzero(counts)}

    @property
    def blind_errors(self) -> int:
        """How many errors leave open whom they are about."""
        return int(np.count_nonzero(self._blind))


def count_codes(found: Sequence[Finding]) -> Mapping[str, int]:
    """Answers how often each code occurs; a million findings kept as columns are counted as columns."""
    return found.count_codes() if isinstance(found, Findings) else Counter(one.code for one in found)


def count_errors(found: Sequence[Finding]) -> int:
    """Answers how many findings are errors: rows that contribute no pair."""
    return sum(n for code, n in count_codes(found).items() if code in ERROR_SENTENCES)


def insert_findings(found: Sequence[Finding], more: Sequence[Finding]) -> Sequence[Finding]:
    """Answers findings with more of them in file order, whatever they are kept in; see `Findings.insert`."""
    if not more:
        return found
    return found.insert(more) if isinstance(found, Findings) else [*found, *more]
