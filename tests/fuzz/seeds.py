"""Valid inputs of every kind for a fuzzer to begin with."""

from __future__ import annotations

import gzip
import json

from fhir_documents import (
    OID_NPI,
    A,
    B,
    C,
    Json,
    M,
    N,
    P,
    attribute,
    bundle,
    enter,
    group,
    mbi,
    member,
    npi,
    patient,
    practitioner,
    refer,
    tell_currency,
)
from workbooks import build_workbook, write_row

from tests.fuzz.parts import join_parts, list_members

TABLES = [
    f"mbi,npi,first name,last name,dob\n{A},{N},Ann,Doe,1939-02-28\n{B},{M},,NA,x\n{A},{N},Ann,Roe,2/28/39\n".encode(),
    f"{A},{M}\r\n{B},{M}\r\n".encode(),
    f'Title;;\nMBI;NPI;Name\n"{A}";{N};"Núñez; ""L"""\nTotal: 1;;\n'.encode(),
    f'action|mbi|npi|term date|dod\nA|1S00-E00-AA00|{N}.0|2030-01-01|\nD|="{B}"||14304|\nX|b|c|d|e\n'.encode(),
    f"mbi\tnpi\tgender\n{A}\t{N}\tF\n".encode("utf-16"),
    f"npi,first name,last name\n{N},Jane,Doe\n{M},Joe,\nx,y,z\n".encode(),
    f"Member Key,Doctor,Note\n{A},{N},a\n{C},{P},b\nshort\n".encode(),
    f'mbi,npi,name\n{A},{N},"Doe,\nAnn"\n{B},"{M}","x"\r{C},{P},\n'.encode(),
    b"\xef\xbb\xbfMBI,NPI\n" + f"{A},{N}\n\n,,\nCount,1\n".encode(),
]
SHEETS = [
    {
        "Notes": write_row(1, "x"),
        "Data": write_row(1, "Action", "MBI", "NPI", "DOB")
        + write_row(2, "A", A, N, "14304", more='hidden="1"')
        + write_row(3, "D", B, '<c r="REF"><f>1</f></c>', "")
        + write_row(4, "A", C, f'<c r="REF" t="str"><f>1</f><v>{M}</v></c>', '<c r="REF" t="e"><v>#REF!</v></c>'),
    },
    {"People": write_row(1, "NPI", "First Name", "Last Name") + write_row(2, N, "Jane", "Doe")},
    {
        "S": write_row(3, "MBI", "NPI", "Term Date")
        + write_row(4, A, N, '<c r="REF" t="b"><v>1</v></c>')
        + write_row(5, B, M, '<c r="REF" s="1"><v>45678</v></c>')
    },
    {"S": write_row(1, "MBI", "NPI") + '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c></row>'},
]
STRINGS = (
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="2" uniqueCount="2">'
    f"<si><t>{A}</t></si><si><r><t>{N[:5]}</t></r><r><t>{N[5:]}</t></r></si></sst>"
)
STYLES = (
    '<styleSheet><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/></numFmts>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)
_MEMBERS = {"xl/sharedStrings.xml": STRINGS, "xl/styles.xml": STYLES}
WORKBOOKS = [build_workbook(one, members=_MEMBERS) for one in SHEETS]
PAIRS = [
    f'{{"mode":"delta","as_of":"2026-01-02T03:04:05Z","sequence":"7","count":3,"pairs":[{{"mbi":"{A}","npi":{N},'
    f'"action":"add","dob":"1939-02-28"}},{{"action":"remove","mbi":"{B}"}},["{C}","{M}"]]}}',
    f'[["{A}","{N}"],["{B}",{M}],["{C}"],null]',
    f'[{{"mbi":"{A}","npi":"{N}","first_name":"Ann","last_name":"Doe","gender":"F","term_date":"2020-01-01"}},'
    f'{{"MBI":"{A}","NPI":"{N}"}}]',
]
_AT = refer("Practitioner/d1")
RESOURCES: list[Json] = [
    group(member(A, N), member(B, M, change="dropped"), member(C, N, period={"end": "2020-06"}), status="final",
          quantity=3),
    bundle(
        group(member(refer("Patient/p1"), refer("#r")), member(refer("Patient/p2"), inactive=True), id="g",
              contained=[{"resourceType": "PractitionerRole", "id": "r", "practitioner": _AT}]),
        patient(A, birthDate="1939-02", gender="female", name=[{"use": "official", "family": "Doe", "given": ["Ann"]}]),
        patient(mbi(B, extension=tell_currency("current")), mbi(C, period={"end": "2020"}), id="p2"),
        practitioner(N, name=[{"family": "Roe", "given": ["Jo"]}]),
    ),
    bundle(
        patient(A, generalPractitioner=[_AT, refer("Organization/o1")], deceasedBoolean=False),
        patient(mbi(B, None, "MC"), id="p2", generalPractitioner=[{"identifier": npi(M)}]),
        enter(practitioner(N), "https://ehr.example.org/fhir/Practitioner/d1/_history/2", "include"),
        {"resourceType": "Organization", "id": "o1"}, type="searchset", total=2, link=[{"relation": "self"}],
    ),
    group(member(A), member(refer("Group/x")), characteristic=[attribute(N), attribute(M, key="value")], quantity=2),
    {"resourceType": "Parameters", "parameter": [
        {"name": "memberId", "valueIdentifier": mbi(A)}, {"name": "providerNpi", "valueIdentifier": npi(N)},
        {"name": "attributionPeriod", "valuePeriod": {"end": "2030-01-01"}}]},
    {"resourceType": "Parameters", "parameter": [
        {"name": "patientReference", "valueReference": refer("Patient/p1", identifier=mbi(B))},
        {"name": "inner", "resource": bundle(patient(B))}]},
    bundle(practitioner(N), practitioner("", id="d2")),
    {"resourceType": "Patient", "identifier": [mbi(A)], "birthDate": "1939-02-28"},
]  # fmt: skip
LINES = [
    [RESOURCES[0], RESOURCES[7]],
    [patient(A, generalPractitioner=[_AT]), patient(B, id="p2"), practitioner(N)],
    [RESOURCES[4], RESOURCES[5]],
]
MESSAGES = [
    f"FHS|^~\\&|E|S|||20260102030405+0000||||F1\rBHS|^~\\&|E|S\rMSH|^~\\&|E|S|||20210805||ADT^A08|M1|P|2.5.1\r"
    f"PID|1||{A}^^^CMS^MC~x^^^^SS||O\\T\\Doe^Ann^^^^^L||19390228|F\rPD1||||\rPV1|1|O|||||{N}^Doe^^^^^^^NPI\r"
    f"MSH|^~\\&|E|S|||20210806||ADT^A47|M2|P|2.5.1\rPID|1||{B}^^^CMS^MC\rMRG|{A}^^^CMS^MC\rBTS|2\rFTS|1\r",
    f"\x0bMSH|^~\\&|E|S|||20210805||ADT^A03|M1|P|2.5.1|||||||UNICODE UTF-8\nPID|1||{A}^^^&2.16.840.1.113883.4.927^MBI\n"
    f"\x1c\nMSH|^~\\&|E|S|||2021||ADT^A01|M2\nPID|1||{A}^^^^MC||||1939\nROL|1|AD|PP|{N}^^^^^^^^^^^^NPI\n"
    f"PRT|1|AD||PP|{M}^^^^^^^^&{OID_NPI}\n",
    f"MSH#*~\\&#E#S###2021##ADT*A28#M\\X31\\#P\rPID#1##{C}***MEDICARE*MC######################Y\rPD1####{N}\r",
]
MANIFEST: Json = {
    "transactionTime": "2026-01-02T03:04:05Z", "request": "https://ehr.example.org/fhir/Group/1/$export",
    "output": [{"type": "Group", "url": "https://ehr.example.org/f/g.ndjson", "count": 1},
               {"type": "Patient", "url": "https://ehr.example.org/f/p.ndjson", "count": 2}],
    "error": [], "deleted": [],
}  # fmt: skip


def _write(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _write_lines(documents: list[Json]) -> bytes:
    return b"".join(_write(one) + b"\n" for one in documents)


def _write_set(manifest: object) -> bytes:
    return join_parts({**({"manifest.json": _write(manifest)} if manifest else {}), **_write_files()})


def _write_files() -> dict[str, bytes]:
    people = [patient(A, id="p1", generalPractitioner=[_AT]), patient(B, id="p2")]
    return {"g.ndjson": _write_lines([group(member(refer("Patient/p1"), N))]), "p.ndjson": _write_lines(people)}


def _join_set(*, sized: bool) -> bytes:
    files = list(_write_files().values())
    sizes = [{"followingBytes": len(lines)} if sized else {} for lines in files]
    output = [{**one, **size} for one, size in zip(MANIFEST["output"], sizes, strict=True)]
    return b"\n".join([_write({**MANIFEST, "output": output}), b"".join(files)])


_PARTS = [join_parts(list_members(one)) for one in WORKBOOKS]
_FHIR = [_write(one) for one in RESOURCES]
_NDJSON = [_write_lines(one) for one in LINES]
_MESSAGES = [one.encode() for one in MESSAGES]
_PAIRS = [one.encode() for one in PAIRS]
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = [
    b"ISA*00*", b"%PDF-1.7", b"<?xml version='1.0'?><x/>", _OLE + bytes(40),
    _OLE + bytes(40) + "EncryptedPackage".encode("utf-16-le"),
]  # fmt: skip
SEEDS: dict[str, list[bytes]] = {
    "delimited": TABLES,
    "headings": [*TABLES, *_PARTS],
    "workbook": _PARTS,
    "archive": WORKBOOKS,
    "json_pairs": _PAIRS,
    "fhir": _FHIR,
    "ndjson": _NDJSON,
    "export_set": [_write_set(MANIFEST), _write_set(None)],
    "joined_set": [_join_set(sized=True), _join_set(sized=False)],
    "hl7v2": _MESSAGES,
    "gzip": [
        *(b"r" + gzip.compress(one, mtime=0) for one in (TABLES[0], _FHIR[0])),
        *(b"p" + one for one in TABLES[:4]),
    ],
    "detection": [TABLES[0], _PAIRS[0], _FHIR[0], _NDJSON[0], _MESSAGES[0], WORKBOOKS[0], *_OTHERS],
}
"""Inputs by target; the options stand before each of them."""
