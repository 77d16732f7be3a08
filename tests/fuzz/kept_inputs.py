"""Inputs that once broke a promise, as small as they get; the first byte of each chooses the options."""

from __future__ import annotations

from workbooks import build_workbook, write_row

from tests.fuzz.parts import join_parts, list_members

_GROUP = b'a{"resourceType":"Group","member":[{"entity":{},"period":{"end":"9999999999"}}]}'
_MESSAGE = b"aMSH|^~\\&|E|S|||2021||ADT^A08|%s|P\r"
_LONG_NAME = b'{"output":[{"url":"https://ehr.example.org/' + b"x" * 300 + b'"}]}'


def _declare(encoding: str) -> bytes:
    """A workbook whose sheet declares an encoding."""
    parts = list_members(build_workbook({"S": write_row(1, "MBI", "NPI")}))
    sheet = "xl/worksheets/sheet1.xml"
    return b"a" + join_parts({**parts, sheet: f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + parts[sheet]})


def _count_strings(count: str) -> bytes:
    """A workbook that says how many strings its cells share."""
    table = f'<sst uniqueCount="{count}"><si><t>x</t></si></sst>'
    book = build_workbook({"S": write_row(1, "MBI", "NPI")}, members={"xl/sharedStrings.xml": table})
    return b"a" + join_parts(list_members(book))


KEPT: dict[str, list[tuple[str, bytes]]] = {
    "delimited": [("a trailer states a number that no column holds", b"ambi,npi\nTotal,3905293015\n")],
    "headings": [
        ("a heading is an MBI", b"ambi,npi,1S00E00AA00\n"),
        ("a heading is an SSN", b"ambi,npi,123-45-6789\n"),
    ],
    "workbook": [
        ("an encoding that nobody knows", _declare("none")),
        ("an encoding that is none of text", _declare("rot13")),
        ("an encoding of several bytes", _declare("shift_jis")),
        ("an encoding without replacements", _declare("idna")),
        ("a count of strings for which there is no room", _count_strings("2323232225")),
        ("a count of strings that is no number", _count_strings("99999999999999999999")),
    ],
    "json_pairs": [
        ("a count that no column holds", b'a{"count":10000000000000000000,"pairs":[]}'),
        ("a sequence that no index holds", b'a{"sequence":"' + b"x" * 3_000 + b'","pairs":[]}'),
        ("a sequence that no database holds", b'a{"sequence":"\\u0000","pairs":[]}'),
    ],
    "fhir": [
        ("a year that no calendar has", _GROUP),
        ("a total that no column holds", b'a{"resourceType":"Bundle","total":10000000000,"entry":[]}'),
    ],
    "export_set": [
        ("a file name longer than names are", b"a" + join_parts({"manifest.json": _LONG_NAME})),
        ("a file name is an MBI", b"a" + join_parts({"1S00E00AA00.ndjson": b'{"resourceType":"Patient"}'})),
    ],
    "hl7v2": [
        ("a control id is an MBI", _MESSAGE % b"1S00E00AA00"),
        ("a control id holds an SSN", _MESSAGE % b"x 123-45-6789"),
        ("a control id holds what cannot be shown", _MESSAGE % b"a\x1bb"),
        ("a control id holds an escaped NUL", _MESSAGE % b"a\\X00\\b"),
        ("counts that add up to more than a column holds", b"aBHS|^~\\&|E\rBTS|999999999\r" * 3),
    ],
}
"""By target: what went wrong, and the input."""
