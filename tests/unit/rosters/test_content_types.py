"""What of a declared Content-Type is kept."""

from __future__ import annotations

from service.rosters.content_types import keep_type

KEPT: dict[str | None, str] = {
    None: "",
    "text/csv": "text/csv",
    " Text/CSV ;header=present": "text/csv",
    'text/csv; charset="UTF-8"; header=absent': "text/csv; charset=utf-8",
    "text/csv;charset=windows-1252": "text/csv; charset=windows-1252",
    "text/csv; charset=patient": "text/csv",
    'text/csv; name="Pat Patient.csv"': "text/csv",
    'text/csv; name="a; charset=utf-8 Pat"': "text/csv",
    "application/hl7-v2+er7": "application/hl7-v2+er7",
    "x-application/hl7-v2+er7": "x-application/hl7-v2+er7",
    "application/1s00e00aa12": "",
    "text/pat patient": "",
    "patient/csv": "",
    "csv": "",
    "text/": "",
}


def test_the_media_type_is_kept_and_a_charset_we_know() -> None:
    assert {declared: keep_type(declared) for declared in KEPT} == KEPT
