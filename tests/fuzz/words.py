"""The words that inputs are made of, by target, for mutations that keep the form of an input."""

from __future__ import annotations

from fhir_documents import CURRENCY, US_MBI, US_NPI, A, B, C, M, N, P

from service.rosters.headings import HEADINGS
from service.rosters.values import ADD_ACTIONS, REMOVE_ACTIONS
from tests.fuzz.seeds import MANIFEST

_NUMBERS = "1S00-E00-AA00 1s00e00aa00 2S00E00AA0 123-45-6789 123456789A 0 1 -1"
_VALUES = "1939-02-28 02/28/1939 31/12/1939 2/8/39 9999999999 14304 #N/A 3.9E+09 N/A"
_MARKS = ['="', '"', '""', "\n", "\r\n", "\r", ",", ";", "\t", "|", "Total: 2"]
_XML = """<row_r="2"> </row> <c_r="A1"> t="s" t="str" t="e" t="b" t="d" t="inlineStr" <v> </v> <f> </f> <is><t> s="1"
    hidden="1" ht="0" state="hidden" encoding="none" &#0; &amp; r="XFD1048576" <!DOCTYPE <![CDATA[ 1e309 -0.0 <si>
    xml:space="preserve" 2323232225 4294967295 18446744073709551615 MBI NPI DOB Action"""
_FHIR = """resourceType Patient Practitioner PractitionerRole Organization Group Bundle Parameters entry resource
    identifier system value type coding code valueCode draft final open new changed nochange dropped cancelled MC
    current reference generalPractitioner contained #d1 deceasedBoolean deceasedDateTime period end total link relation
    next parameter name memberId providerNpi patientReference providerReference attributionPeriod valuePeriod
    valueIdentifier valueReference member entity inactive characteristic exclude quantity actual search mode include
    outcome batch transaction birthDate gender given family use official fullUrl id extension url person device true
    false null 2026-13-45 1e400 0.5 pairs count sequence as_of snapshot delta action { } [ ]"""
_HL7 = """MSH|^~\\& FHS| BHS| BTS| FTS| PID| PD1| ROL| PRT| PV1| MRG| EVN| ADT^A01 ADT^A40 A08 ^^^CMS^MC ^^^^MBI
    \\X31\\ \\F\\ \\X00\\ \\T\\ ~ ^ & | 8859/1 ASCII UNICODE PP NPI MEDICARE L Y UC DE"""
_COMMON = [A, B, C, N, M, P, "", "\x00", *_NUMBERS.split(), *_VALUES.split()]
_TABLE = [*HEADINGS, *sorted(ADD_ACTIONS | REMOVE_ACTIONS), *_MARKS]
_SHEET = [word.replace("_r=", " r=") for word in _XML.split()]
_SYSTEMS = [US_MBI, US_NPI, CURRENCY]
_FORMATS = ["ISA*", "MSH|^~\\&", "FHS|^~\\&", "{", "[", "<", "%PDF", "PK\x03\x04", "\x0b"]
_MORE = {
    "delimited": _TABLE,
    "headings": [*_TABLE, *_SHEET],
    "workbook": _SHEET,
    "archive": ["PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "xl/workbook.xml"],
    "json_pairs": [*_FHIR.split(), *HEADINGS, ":", ",", "\\ud800", "\\u0000"],
    "fhir": [*_FHIR.split(), *_SYSTEMS],
    "ndjson": [*_FHIR.split(), *_SYSTEMS, "\n"],
    "export_set": [*_FHIR.split(), *MANIFEST, "\n--- x.ndjson\n", "\n--- manifest.json\n", "_since", "../", "%2e"],
    "joined_set": [*_FHIR.split(), *MANIFEST, "followingBytes", "_since", "\n"],
    "hl7v2": [*_HL7.split(), "\r", "\n", "\x0b", "\x1c"],
    "gzip": ["\x1f", "p", "r", "c", "m"],
    "detection": _FORMATS,
}
WORDS: dict[str, list[bytes]] = {
    name: [word.encode("latin-1") for word in (*_COMMON, *more)] for name, more in _MORE.items()
}
