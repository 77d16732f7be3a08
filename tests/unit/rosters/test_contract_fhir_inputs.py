"""What whole FHIR inputs must come out as, case by case: Bundles, member changes, bulk exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir_documents import (
    ATR,
    BASE,
    A,
    B,
    C,
    Json,
    M,
    N,
    bundle,
    enter,
    expect,
    group,
    mbi,
    member,
    npi,
    patient,
    practitioner,
    refer,
)
from readings import build_result

from service.domain.identifiers import Environment
from service.rosters.read import check_roster, read_roster
from service.rosters.reading import RosterOptions, RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

TODAY = date(2021, 9, 1)
ENDED = {"start": "2021-01-01", "end": "2021-08-31"}


ONE = member(A, N)
WHOLE = enter(group(ONE, status="final"), mode="match")
BARE = {"url": ATR + "ext-attributionListStatus"}
FINAL, DRAFT = {**BARE, "valueCode": "final"}, {**BARE, "valueCode": "draft"}
SIGNALS: dict[str, tuple[Json, str]] = {
    "no status": (group(ONE), "none"),
    "final": (group(ONE, status="final"), "snapshot"),
    "open": (group(ONE, status="open"), "snapshot"),
    "draft": (group(ONE, status="draft"), "partial"),
    "other status": (group(ONE, status="preliminary"), "none"),
    "quantity": (group(ONE, status="final", quantity=1), "snapshot"),
    "quantity above": (group(ONE, status="final", quantity=2), "partial"),
    "quantity below": (group(ONE, status="final", quantity=0), "partial"),
    "quantity alone": (group(ONE, quantity=5), "partial"),
    "quantity that is no number": (group(ONE, status="final", quantity=True), "partial"),
    "final and a draft": (group(ONE, extension=[FINAL, DRAFT]), "partial"),
    "final and a draft elsewhere": (group(ONE, status="final", modifierExtension=[DRAFT]), "partial"),
    "final and another status": (group(ONE, extension=[FINAL, {**FINAL, "valueCode": "preliminary"}]), "none"),
    "final elsewhere": (group(ONE, modifierExtension=[FINAL]), "partial"),
    "status of another kind": (group(ONE, extension=[FINAL, {**BARE, "valueCoding": {"code": "draft"}}]), "partial"),
    "status nobody can read": (group(ONE, extension="draft"), "partial"),
    "not in use": (group(ONE, status="final", active=False), "partial"),
    "not in use, as text": (group(ONE, status="final", active="false"), "partial"),
    "in use": (group(ONE, status="final", active=True), "snapshot"),
    "final in a collection": (bundle(group(ONE, status="final")), "snapshot"),
    "two Groups": (bundle(group(ONE, status="final"), group(status="final")), "snapshot"),
    "one of them a draft": (bundle(group(ONE, status="final"), group(status="draft")), "partial"),
    "transaction": (bundle(group(ONE, status="final"), type="transaction"), "delta"),
    "batch": (bundle(group(ONE, status="final"), type="batch"), "delta"),
    "next page": (bundle(group(ONE, status="final"), link=[{"relation": "next", "url": BASE}]), "partial"),
    "next page, shouted": (bundle(group(ONE, status="final"), link=[{"relation": "NEXT"}]), "partial"),
    "next page, and all of the total": (
        bundle(group(ONE, status="final"), link=[{"relation": "next"}], total=1), "partial"),
    "last page": (bundle(group(ONE, status="final"), link=[{"relation": "previous", "url": BASE}]), "partial"),
    "last page, in short": (bundle(group(ONE, status="final"), link=[{"relation": "Prev", "url": BASE}]), "partial"),
    "last page, and all of the total": (
        bundle(group(ONE, status="final"), link=[{"relation": "prev", "url": BASE}], total=1), "snapshot"),
    "history": (bundle(group(ONE, status="final"), type="history"), "partial"),
    "history of all": (bundle(group(ONE, status="final"), type="history", total=1), "partial"),
    "total": (bundle(group(ONE, status="final"), patient(B), total=1), "snapshot"),
    "total of all": (bundle(group(ONE, status="final"), patient(B), total=2), "partial"),
    "total above": (bundle(group(ONE, status="final"), patient(B), total=3), "partial"),
    "total of matches": (bundle(WHOLE, enter(patient(B), mode="include"), total=1), "snapshot"),
    "total above matches": (bundle(WHOLE, enter(patient(B), mode="include"), total=2), "partial"),
    "total below matches": (bundle(WHOLE, enter(group(status="final"), mode="match"), total=1), "partial"),
    "entry without resource": (bundle(group(ONE, status="final"), {"resource": None}), "partial"),
    "Bundle in Parameters": (
        {"resourceType": "Parameters",
         "parameter": [{"name": "resource", "resource": bundle(group(ONE, status="final"))}]}, "delta"),
    "page inside a batch's answer": (
        bundle(enter(bundle(group(ONE, status="final"), link=[{"relation": "next"}])), type="batch-response"),
        "partial"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNALS)
def test_an_input_is_as_whole_as_it_says(check_text: CheckText, name: str) -> None:
    document, signal = SIGNALS[name]
    found = check_text(json.dumps(document))
    assert (found["mode_signal"], found["file_error"], found["present"]) == (signal, None, [[A, N]])


GENERAL: Json = {"generalPractitioner": [refer("Practitioner/d1")]}
PATIENTS: dict[str, tuple[Json, Json]] = {
    "pairs": (
        bundle(patient(A, **GENERAL), patient(B, id="p2", **GENERAL), practitioner(N)),
        expect(present=[[A, N], [B, N]]),
    ),
    "search without modes": (
        bundle(patient(A, **GENERAL), practitioner(N), type="searchset", total=1), expect(present=[[A, N]])
    ),
    "search that lacks one": (
        bundle(patient(A, **GENERAL), practitioner(N), type="searchset", total=3),
        expect("partial", present=[[A, N]]),
    ),
    "search whose total happens to be that of all": (
        bundle(patient(A, **GENERAL), practitioner(N), practitioner(M, id="d2"), type="searchset", total=3),
        expect("partial", present=[[A, N]]),
    ),
    "search that says of one alone that it was included": (
        bundle(patient(A, **GENERAL), enter(practitioner(N), f"{BASE}Practitioner/d1", mode="include"),
               practitioner(M, id="d2"), type="searchset", total=2),
        expect("partial", present=[[A, N]]),
    ),
    "search for practitioners": (bundle(practitioner(N), type="searchset", total=1), expect()),
    "several practitioners": (
        bundle(patient(A, generalPractitioner=[refer("Practitioner/d1"), {"identifier": npi(M)}]), practitioner(N)),
        expect(present=[[A, N], [A, M]], warnings=[["/entry/0/resource", "mbi_multiple_npi"]]),
    ),
    "practitioner and practice": (
        bundle(patient(A, generalPractitioner=[refer("Practitioner/d1"), refer("Organization/o")]), practitioner(N)),
        expect(present=[[A, N]], errors=[["/entry/0/resource", "provider_is_org"]], protected_mbis=[A]),
    ),
    "one without": (
        bundle(patient(A, **GENERAL), patient(B, id="p2"), practitioner(N)),
        expect(present=[[A, N]], errors=[["/entry/1/resource", "npi_missing"]], protected_mbis=[B]),
    ),
    "nobody known": (
        bundle(patient(mbi("x"), **GENERAL), practitioner(N)),
        expect(errors=[["/entry/0/resource", "mbi_length"]], blind_errors=1),
    ),
    "partial birth dates": (
        bundle(patient(A, birthDate="1943", **GENERAL), patient(B, id="p2", birthDate="1943-06", **GENERAL),
               practitioner(N)),
        expect(present=[[A, N], [B, N]],
               warnings=[["/entry/0/resource", "dob_partial"], ["/entry/1/resource", "dob_partial"]]),
    ),
    "dead": (
        bundle(patient(A, deceasedBoolean=True, **GENERAL), patient(B, id="p2", deceasedBoolean=False, **GENERAL),
               patient(C, id="p3", deceasedDateTime="2021-01-01", **GENERAL), practitioner(N)),
        expect(present=[[B, N]], protected_mbis=[A, C],
               errors=[["/entry/0/resource", "deceased_hold"], ["/entry/2/resource", "deceased_hold"]]),
    ),
    "unknown elements": (
        bundle(patient(A, meta={"profile": ["urn:x"]}, us=[{"x": 1}], extension=[{"url": "urn:x", "valueInteger": 1}],
                       **GENERAL), practitioner(N), {"resourceType": "Basic", "id": "b"}),
        expect(present=[[A, N]]),
    ),
    "a batch's answers": (
        bundle(enter(bundle(patient(A, **GENERAL))), enter(bundle(practitioner(N))), type="batch-response"),
        expect(present=[[A, N]]),
    ),
    "empty": (bundle(type="searchset", total=0), expect()),
}  # fmt: skip


@pytest.mark.parametrize("name", PATIENTS)
def test_a_bundle_of_patients_comes_out_as_agreed(check_text: CheckText, name: str) -> None:
    document, result = PATIENTS[name]
    assert check_text(json.dumps(document)) == result


ID, NPI = ("memberId", {"valueIdentifier": mbi(A)}), ("providerNpi", {"valueIdentifier": npi(N)})
PATIENT = ("patientReference", {"valueReference": refer("Patient/p1", identifier=mbi(A))})
PROVIDER = ("providerReference", {"valueReference": {"identifier": npi(N)}})
PERIOD = ("attributionPeriod", {"valuePeriod": {"start": "2021-01-01", "end": "2022-01-01"}})
OVER = ("attributionPeriod", {"valuePeriod": ENDED})
PAYER = ("memberId", {"valueIdentifier": mbi("M-1", "urn:payer")})
ORGANIZATION = ("providerReference", {"valueReference": refer("Organization/o1")})
AT = "/parameter/0"
OPERATIONS: dict[str, tuple[list[tuple[str, Json]], str, Json]] = {
    "add": ([ID, NPI, PERIOD], "x.json", expect("delta", present=[[A, N]])),
    "add by reference": ([PATIENT, PROVIDER, PERIOD], "x.json", expect("delta", present=[[A, N]])),
    "add by name": ([ID, NPI], "r4_parameters_member_add_2.json", expect("delta", present=[[A, N]])),
    "add with coverage": ([ID, NPI, PERIOD, ("coverageReference", {"valueReference": refer("Coverage/1")})], "x.json",
                          expect("delta", present=[[A, N]])),
    "add over": ([ID, NPI, OVER], "x.json", expect("delta", remove=[[A, N]])),
    "add of a payer's member": ([PAYER, NPI, PERIOD], "x.json",
                                expect("delta", errors=[[AT, "mbi_missing"]], blind_errors=1)),
    "add of a payer's member who is known": ([PAYER, PATIENT, NPI, PERIOD], "x.json",
                                             expect("delta", present=[[A, N]])),
    "add of two": ([ID, ("patientReference", {"valueReference": {"identifier": mbi(B)}}), NPI, PERIOD], "x.json",
                   expect("delta", errors=[[AT, "multiple_mbi"]], blind_errors=1)),
    "add without practitioner": ([ID, PERIOD], "x.json",
                                 expect("delta", errors=[[AT, "npi_missing"]], protected_mbis=[A])),
    "add to an organization": ([ID, ORGANIZATION, PERIOD], "x.json",
                               expect("delta", errors=[[AT, "provider_is_org"]], protected_mbis=[A])),
    "add to a person of an organization": ([ID, NPI, ORGANIZATION, PERIOD], "x.json",
                                           expect("delta", present=[[A, N]])),
    "remove": ([ID], "x.json", expect("delta", remove=[[A, None]])),
    "remove by reference": ([PATIENT], "x.json", expect("delta", remove=[[A, None]])),
    "remove one": ([ID, NPI], "r4_parameters_member_remove_2.json", expect("delta", remove=[[A, N]])),
    "remove one by reference": ([PATIENT, PROVIDER], "member-remove.json", expect("delta", remove=[[A, N]])),
    "remove a payer's member": ([PAYER], "x.json", expect("delta", errors=[[AT, "mbi_missing"]], blind_errors=1)),
    "remove somebody unknown": ([("patientReference", {"valueReference": refer("Patient/p1")})], "x.json",
                                expect("delta", errors=[[AT, "unresolved_reference"]], blind_errors=1)),
    "either": ([ID, NPI], "x.json", expect("delta", errors=[[AT, "bad_action"]], protected_mbis=[A])),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_change_comes_out_as_agreed(check_text: CheckText, name: str) -> None:
    parameters, file, result = OPERATIONS[name]
    document = {"resourceType": "Parameters", "parameter": [{"name": key, **value} for key, value in parameters]}
    assert check_text(json.dumps(document), file, today=TODAY) == result


def save_set(folder: Path, files: dict[str, list[Json]], manifest: Json | None) -> Path:
    for name, lines in files.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.ndjson").write_text(text, "utf-8")
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


LIST = group(member(refer("Patient/p1"), refer(BASE + "Practitioner/d1")), status="final", id="g1")
FILES = {"Group": [LIST], "Patient": [patient(A), patient(B, id="p2")], "Practitioner": [practitioner(N)]}


def state(files: dict[str, list[Json]] = FILES, **more: Any) -> Json:
    output = [{"type": n, "url": f"{BASE}bulk/{n}.ndjson", "count": len(lines)} for n, lines in files.items()]
    return {
        "transactionTime": "2021-08-05T14:31:04.441Z", "request": BASE + "Group/g1/$export",
        "requiresAccessToken": True, "output": output, "error": [], **more,
    }  # fmt: skip


LOST = [*state()["output"], {"type": "Coverage", "url": BASE + "bulk/Coverage.ndjson", "count": 1}]
MANIFESTS: dict[str, tuple[Json | None, str]] = {
    "whole": (state(), "snapshot"),
    "whole without counts": (state(output=[{"url": f"x/{n}.ndjson"} for n in FILES]), "snapshot"),
    "since": (state(request=BASE + "Group/g1/$export?_since=2021-01-01T00:00:00Z"), "delta"),
    "deleted": (state(deleted=[{"type": "Bundle", "url": "x/del.ndjson"}]), "delta"),
    "nothing deleted": (state(deleted=[]), "snapshot"),
    "error": (state(error=[{"type": "OperationOutcome", "url": "x/err.ndjson"}]), "partial"),
    "count above": (state({**FILES, "Patient": [{}] * 3}), "partial"),
    "count below": (state({**FILES, "Patient": [{}]}), "partial"),
    "file missing": (state(output=LOST), "partial"),
    "next page": (state(link=[{"relation": "next", "url": BASE + "manifest/2"}]), "partial"),
    "next page in other letters": (state(link={"relation": " Next ", "url": BASE + "manifest/2"}), "partial"),
    "other links": (state(link=[{"relation": "self", "url": "x"}, {"relation": ["next"]}, {}, "next"]), "snapshot"),
    "next page of a delta": (state(link=[{"relation": "next"}], deleted=[{"url": "x"}]), "delta"),
    "error in a delta": (state(error=[{"url": "x"}], deleted=[{"url": "x"}]), "delta"),
    "no manifest": (None, "none"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_an_export_is_as_whole_as_its_manifest_says(tmp_path: Path, name: str) -> None:
    manifest, signal = MANIFESTS[name]
    folder = save_set(tmp_path, FILES, manifest)
    found = check_roster(folder, RosterOptions(Environment.SANDBOX))
    assert found == build_result(format="ndjson", mode_signal=signal, present=[[A, N]])


SETS: dict[str, tuple[dict[str, list[Json]], Json]] = {
    "Groups count before practitioners of Patients": (
        {"Patient": [patient(A, generalPractitioner=[{"identifier": npi(M)}])], "Practitioner": [practitioner(N)],
         "Group": [LIST]},
        {"mode_signal": "snapshot", "present": [[A, N]]},
    ),
    "no Group": (
        {"Patient": [patient(A, **GENERAL), patient(B, id="p2")], "Practitioner": [practitioner(N)]},
        {"present": [[A, N]], "errors": [["Patient.ndjson:2", "npi_missing"]], "protected_mbis": [B]},
    ),
    "Group that says nothing": (
        {"Group": [group(member(refer("Patient/p1"), N))], "Patient": [patient(A)]}, {"present": [[A, N]]},
    ),
    "draft": (
        {"Group": [group(member(refer("Patient/p1"), N), status="draft")], "Patient": [patient(A)]},
        {"mode_signal": "partial", "present": [[A, N]]},
    ),
    "quantity": (
        {"Group": [group(member(refer("Patient/p1"), N), status="final", quantity=2)], "Patient": [patient(A)]},
        {"mode_signal": "partial", "present": [[A, N]]},
    ),
    "member in no file": (
        {"Group": [LIST], "Practitioner": [practitioner(N)]},
        {"mode_signal": "snapshot", "errors": [["Group.ndjson:1#/member/0", "unresolved_reference"]],
         "blind_errors": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_an_export_comes_out_as_agreed(tmp_path: Path, name: str) -> None:
    files, parts = SETS[name]
    folder = save_set(tmp_path, files, state(files))
    result = build_result(format="ndjson", **parts)
    assert check_roster(folder, RosterOptions(Environment.SANDBOX)) == result
    from service.cli.main import cli

    printed = CliRunner().invoke(cli, ["check", str(folder), "--format", "json"])
    assert json.loads(printed.stdout) == result


COUNTS: dict[str, tuple[Json, int | None]] = {
    "nothing stated": (bundle(group(ONE)), None),
    "total": (bundle(patient(A, **GENERAL), practitioner(N), total=1), 1),
    "total that is wrong": (bundle(patient(A, **GENERAL), practitioner(N), total=40), 40),
    "quantity": (group(ONE, quantity=1), 1),
    "quantity and total": (bundle(group(ONE, member(B, N), quantity=2), total=1), 2),
    "quantities": (bundle(group(ONE, quantity=1), group(member(B, N), quantity=1)), 2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_that_was_checked_is_told(read_text: ReadText, name: str) -> None:
    document, declared = COUNTS[name]
    assert read_text(json.dumps(document)).declared_count == declared


def test_an_export_says_when_and_how_many(tmp_path: Path) -> None:
    options = RosterOptions(Environment.SANDBOX)
    reading = read_roster(save_set(tmp_path, FILES, state()), options)
    assert reading.as_of_at == datetime(2021, 8, 5, 14, 31, 4, 441_000, tzinfo=UTC)
    assert (reading.declared_count, reading.sequence) == (4, None)
    reading = read_roster(save_set(tmp_path, FILES, state(output=[{"url": "x/Group.ndjson"}])), options)
    assert reading.declared_count is None
    reading = read_roster(save_set(tmp_path, FILES, state(transactionTime="soon")), options)
    assert reading.as_of_at is None


def test_when_a_resource_was_written_says_nothing_of_the_list(read_text: ReadText) -> None:
    document = bundle(group(ONE, meta={"lastUpdated": "2021-08-05T14:31:04Z"}), timestamp="2021-08-05T14:31:04Z")
    assert read_text(json.dumps(document)).as_of_at is None


REFUSED: dict[str, tuple[str, str, str]] = {
    "cut": (json.dumps(bundle(group(ONE)))[:-9], "fhir", "truncated"),
    "key twice": ('{"resourceType":"Group","member":[],"member":[]}', "fhir", "unsupported_format_json"),
    "key twice deep inside": ('{"resourceType":"Group","x":{"y":[{"z":1,"z":2}]}}', "fhir", "unsupported_format_json"),
    "line cut": (json.dumps(LIST) + '\n{"resourceType":"Pat', "ndjson", "truncated"),
    "XML": ('<Group xmlns="http://hl7.org/fhir"/>', "xml", "unsupported_format_xml"),
    "nothing of a roster": (json.dumps({"resourceType": "Observation"}), "fhir", "unsupported_format_json"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_fhir_that_cannot_be_taken_at_its_word_is_refused_whole(check_text: CheckText, name: str) -> None:
    text, found_format, error = REFUSED[name]
    assert check_text(text) == build_result(format=found_format, file_error=error)


def test_a_line_of_sixty_megabytes_is_read(tmp_path: Path) -> None:
    size = 180_000
    before, after = json.dumps(member("MBI", N, change="nochange")).split("MBI")
    numbers = ((n // 10_000, n // 100 % 100, n % 100) for n in range(size))
    members = ",".join(f"{before}1S{n:02d}E{m:02d}AA{o:02d}{after}" for n, m, o in numbers)
    start, end = json.dumps(group(status="final", quantity=size)).split('"member": []')
    text = f'{start}"member": [{members}]{end}\n{json.dumps(patient(A))}\n'
    assert len(text) > 60_000_000
    (tmp_path / "Group.ndjson").write_text(text)
    reading = read_roster(tmp_path / "Group.ndjson", RosterOptions(Environment.SANDBOX))
    assert (reading.file_error, len(reading.present), reading.declared_count) == (None, size, size)
