"""Rows about practitioners for whom a feed may not speak, and about no practitioner at all, do not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.own_rows import keep_practitioners
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading

OWN, OTHER = "3990000002", "3990000010"
A, B, C = "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
PAIRS = [(A, OWN), (B, OTHER), (C, OWN)]
URL = "http://hl7.org/fhir/sid"


def write_group() -> bytes:
    members = [
        {
            "entity": {"identifier": {"system": f"{URL}/us-mbi", "value": mbi}},
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider",
                    "valueReference": {"identifier": {"system": f"{URL}/us-npi", "value": npi}},
                }
            ],
        }
        for mbi, npi in PAIRS
    ]
    return json.dumps({"resourceType": "Group", "type": "person", "actual": True, "member": members}).encode()


def write_messages() -> bytes:
    return "\r".join(
        line
        for n, (mbi, npi) in enumerate(PAIRS)
        for line in (
            f"MSH|^~\\&|EHR|CLINIC|||2026030208300{n}||ADT^A08|M{n}|P|2.5",
            f"PID|1||{mbi}^^^CMS^MC",
            f"PV1|1|O|||||{npi}^Wells^Ada^^^^^^NPI^^^^NPI",
        )
    ).encode()


FILES = {
    "csv": ("MBI,NPI\n" + "".join(f"{mbi},{npi}\n" for mbi, npi in PAIRS)).encode(),
    "json": json.dumps([{"mbi": mbi, "npi": npi} for mbi, npi in PAIRS]).encode(),
    "fhir": write_group(),
    "hl7v2": write_messages(),
}
POSITIONS = {"csv": "3", "json": "1", "fhir": "/member/1", "hl7v2": "M1"}


def read(tmp_path: Path, content: bytes, **options: Any) -> RosterReading:
    path = tmp_path / "roster"
    path.write_bytes(content)
    return read_roster(path, RosterOptions(Environment.SANDBOX, **options))


@pytest.mark.parametrize("kind", FILES)
def test_a_row_for_somebody_else_is_an_error_at_its_own_place(tmp_path: Path, kind: str) -> None:
    kept = keep_practitioners(read(tmp_path, FILES[kind]), [OWN])
    assert list(kept.present.iter_pairs()) == [(A, OWN), (C, OWN)]
    errors = [(f.position, f.code, f.blind) for f in kept.findings if f.severity == "error"]
    assert errors == [(POSITIONS[kind], "npi_not_of_feed", False)]


def test_nothing_changes_where_all_rows_are_its_own(tmp_path: Path) -> None:
    reading = read(tmp_path, FILES["csv"])
    assert keep_practitioners(reading, [OWN, OTHER]) is reading


def test_removals_for_somebody_else_do_not_count_and_those_of_everybody_do(tmp_path: Path) -> None:
    content = f"MBI,NPI,Action\n{A},{OWN},delete\n{B},{OTHER},delete\n{C},,delete\n".encode()
    kept = keep_practitioners(read(tmp_path, content), [OWN])
    assert list(kept.remove.iter_pairs()) == [(A, OWN), (C, None)]
    assert [f.position for f in kept.findings if f.code == "npi_not_of_feed"] == ["3"]


LIST = f"NPI,First Name,Last Name\n{OWN},Ada,Wells\n{OTHER},Bruno,Brooks\n".encode()


@pytest.mark.parametrize("kind", FILES)
def test_the_organization_itself_is_no_practitioner(tmp_path: Path, kind: str) -> None:
    reading = read(tmp_path, FILES[kind], organization_npi=OTHER)
    assert list(reading.present.iter_pairs()) == [(A, OWN), (C, OWN)]
    errors = [(f.position, f.code, f.blind) for f in reading.findings if f.severity == "error"]
    assert errors == [(POSITIONS[kind], "provider_is_org", False)]
    assert (reading.protected_mbis, reading.data_rows) == ((B,), 3)


def test_neither_is_it_in_a_workbook(tmp_path: Path) -> None:
    rows = "".join(write_row(line, *pair) for line, pair in enumerate([("MBI", "NPI"), *PAIRS], start=1))
    reading = read(tmp_path, build_workbook({"S": rows}), organization_npi=OTHER)
    assert [(f.position, f.code) for f in reading.findings] == [("3", "provider_is_org")]
    assert (len(reading.present), reading.protected_mbis) == (2, (B,))


def test_every_row_that_names_the_organization_is_an_error_with_or_without_action(tmp_path: Path) -> None:
    rows = "".join(f"{mbi},{OTHER},{action}\n" for mbi in (A, B, B) for action in ("add", "delete"))
    reading = read(tmp_path, f"MBI,NPI,Action\n{rows}{C},,delete\n".encode(), organization_npi=OTHER)
    assert [(f.position, f.code) for f in reading.findings] == [(str(n), "provider_is_org") for n in range(2, 8)]
    assert list(reading.remove.iter_pairs()) == [(C, None)]
    assert reading.protected_mbis == (A, B)


def test_the_organization_is_in_no_list_of_practitioners(tmp_path: Path) -> None:
    reading = read(tmp_path, LIST, organization_npi=OTHER)
    assert [one.npi for one in reading.practitioner_names] == [OWN]
    assert [(f.position, f.code) for f in reading.findings] == [("3", "provider_is_org")]


def test_a_message_that_names_it_first_is_read_on_for_a_practitioner(tmp_path: Path) -> None:
    content = FILES["hl7v2"].replace(b"\rPV1", b"\rPD1||||%s^Lakeside^^^^^^^NPI\rPV1" % OTHER.encode(), 1)
    reading = read(tmp_path, content, organization_npi=OTHER)
    assert list(reading.present.iter_pairs()) == [(A, OWN), (C, OWN)]


def test_who_does_not_know_the_organization_reads_as_ever(tmp_path: Path) -> None:
    assert list(read(tmp_path, FILES["csv"]).present.iter_pairs()) == PAIRS
