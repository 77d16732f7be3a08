"""Groups, member changes and bulk export sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.domain.identifiers import Environment
from service.rosters.read import check_roster, read_roster
from service.rosters.reading import RosterOptions

CheckText = Callable[..., dict[str, Any]]
Json = dict[str, Any]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"
US_MBI = "http://hl7.org/fhir/sid/us-mbi"
US_NPI = "http://hl7.org/fhir/sid/us-npi"
ATR = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/"


def build_entity(mbi: str, system: str = US_MBI) -> Json:
    return {"type": "Patient", "identifier": {"system": system, "value": mbi}}


def build_member(entity: Json, *npis: str, change: str | None = None, **more: Any) -> Json:
    extensions: list[Json] = [
        {"url": ATR + "ext-attributedProvider", "valueReference": {"identifier": {"system": US_NPI, "value": npi}}}
        for npi in npis
    ]
    if change is not None:
        extensions.append({"url": ATR + "ext-changeType", "valueCode": change})
    return {"entity": entity, "extension": extensions, **more}


def build_group(*members: Any, **more: Any) -> Json:
    return {"resourceType": "Group", "type": "person", "actual": True, "member": list(members), **more}


def build_patient(ident: str, mbi: str, **more: Any) -> Json:
    return {"resourceType": "Patient", "id": ident, "identifier": [{"system": US_MBI, "value": mbi}], **more}


def build_bundle(*resources: Json, **more: Any) -> Json:
    base = "https://ehr.example.org/fhir/"
    entries = [
        {"fullUrl": f"{base}{r['resourceType']}/{r.get('id', n)}", "resource": r} for n, r in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries, **more}


MEMBERS = [
    (build_member(build_entity(A), N), [[A, N]], [], None),
    (build_member(build_entity(A), N, M), [[A, N], [A, M]], [], None),
    (build_member(build_entity(A), N, change="changed"), [[A, N]], [], None),
    (build_member(build_entity(A), N, change="dropped"), [], [[A, N]], None),
    (build_member(build_entity(A), N, change="cancelled"), [], [[A, N]], None),
    (build_member(build_entity(A), N, inactive=True), [], [[A, N]], None),
    (build_member(build_entity(A), N, change="perhaps"), [], [], "bad_action"),
    (build_member(build_entity(A), N, period={"end": "2019-12-31T23:00:00Z"}), [], [[A, N]], None),
    (build_member(build_entity(A), N, period={"end": "2020-01"}), [[A, N]], [], None),
    (build_member(build_entity(A), N, period={"end": "soon"}), [], [], "bad_end_date"),
    (build_member(build_entity(A)), [], [], "npi_missing"),
    (build_member(build_entity(A), inactive=True), [], [[A, None]], None),
    (build_member(build_entity(A), period={"end": "2019-12-31"}), [], [[A, None]], None),
    (build_member(build_entity(A), "3905293016"), [], [], "npi_luhn"),
    (build_member(build_entity(A, "urn:payer"), N), [], [], "mbi_missing"),
    (build_member(build_entity("1EG4TE5MK73"), N), [], [], "mbi_real_in_sandbox"),
    (build_member({"reference": "Patient/unknown"}, N), [], [], "unresolved_reference"),
    (build_member({"reference": "Patient/unknown", **build_entity(A)}, N), [[A, N]], [], None),
    (build_member({"reference": "Group/g2"}, N), [], [], "unsupported_subgroup"),
    (build_member({"type": "Group", "identifier": {"value": "x"}}, N), [], [], "unsupported_subgroup"),
    (build_member({}, N), [], [], "mbi_missing"),
]


@pytest.mark.parametrize(("member", "present", "remove", "code"), MEMBERS, ids=range(len(MEMBERS)))
def test_a_member_is_a_pair_a_removal_or_an_error(
    check_text: CheckText, member: Json, present: list[Any], remove: list[Any], code: str | None
) -> None:
    first = build_member(build_entity(C), M)  # so that practitioners stand at the members
    found = check_text(json.dumps(build_group(first, member)), today=date(2020, 1, 1))
    assert (found["format"], found["mode_signal"], found["file_error"]) == ("fhir", "none", None)
    assert (found["present"], found["remove"]) == ([[C, M], *present], remove)
    assert found["errors"] == ([["/member/1", code]] if code else [])
    assert found["blind_errors"] == (1 if code and (code[:3] == "mbi" or code[:2] == "un") else 0)


CHARACTERISTICS: list[tuple[Json, str | None]] = [
    ({"valueCodeableConcept": {"coding": [{"system": US_NPI, "code": N}]}}, None),
    ({"valueCodeableConcept": {"coding": [{"system": US_NPI, "value": N}]}}, None),
    ({"valueReference": {"identifier": {"system": US_NPI, "value": N}}}, None),
    ({"valueCodeableConcept": {"coding": [{"system": "urn:x", "code": N}]}}, "npi_missing"),
    ({"valueReference": {"reference": "Practitioner/x"}}, "unresolved_reference"),
    ({"valueCodeableConcept": {"coding": [{"system": US_NPI, "code": N}]}, "exclude": True}, "npi_missing"),
]


@pytest.mark.parametrize(("more", "code"), CHARACTERISTICS, ids=range(len(CHARACTERISTICS)))
def test_a_group_may_be_attributed_as_a_whole(check_text: CheckText, more: Json, code: str | None) -> None:
    group = build_group({"entity": build_entity(A)})
    group["characteristic"] = [{"code": {"coding": [{"code": "attributed-to"}]}, **more}]
    found = check_text(json.dumps(group))
    assert found["present"] == ([] if code else [[A, N]])
    assert [one for _, one in found["errors"]] == ([code] if code else [])


def test_practitioners_come_from_one_place_only(check_text: CheckText) -> None:
    general = [{"identifier": {"system": US_NPI, "value": M}}]
    group = build_group(build_member(build_entity(A), N), {"entity": {"reference": "Patient/p"}})
    bundle = build_bundle(group, build_patient("p", B, generalPractitioner=general))
    found = check_text(json.dumps(bundle))
    assert (found["present"], found["errors"]) == ([[A, N]], [["/entry/0/resource/member/1", "npi_missing"]])
    del group["member"][0]
    assert check_text(json.dumps(build_bundle(group, bundle["entry"][1]["resource"])))["present"] == [[B, M]]


def test_the_dead_are_held_and_only_members_are_people(tmp_path: Path) -> None:
    general = [{"identifier": {"system": US_NPI, "value": N}}]
    bundle = build_bundle(
        build_group({"entity": {"reference": "Patient/a"}}, {"entity": {"reference": "Patient/b"}}),
        build_patient("a", A, generalPractitioner=general, deceasedDateTime="2020-01-01"),
        build_patient("b", B, generalPractitioner=general, name=[{"family": "Doe"}]),
        build_patient("c", C, generalPractitioner=general),
    )
    (tmp_path / "x").write_text(json.dumps(bundle))
    reading = read_roster(tmp_path / "x", RosterOptions(Environment.SANDBOX))
    assert [one.code for one in reading.findings] == ["deceased_hold"]
    assert [one.mbi for one in reading.demographics] == [B]


def say(status: str) -> Json:
    return {"extension": [{"url": ATR + "ext-attributionListStatus", "valueCode": status}]}


SIGNALS = [
    (say("final"), {}, "snapshot"),
    (say("open"), {}, "snapshot"),
    (say("draft"), {}, "partial"),
    (say("other"), {}, "none"),
    ({**say("final"), "quantity": 2}, {}, "partial"),
    ({**say("final"), "quantity": 1}, {}, "snapshot"),
    (say("final"), {"link": [{"relation": "next"}]}, "partial"),
    (say("final"), {"total": 9}, "partial"),
    (say("draft"), {"type": "transaction"}, "delta"),
]


@pytest.mark.parametrize(("of_group", "of_bundle", "signal"), SIGNALS, ids=range(len(SIGNALS)))
def test_the_weakest_signal_counts(check_text: CheckText, of_group: Json, of_bundle: Json, signal: str) -> None:
    group = build_group(build_member(build_entity(A), N), **of_group)
    assert check_text(json.dumps(build_bundle(group, **of_bundle)))["mode_signal"] == signal


def test_a_list_is_whole_only_when_every_group_says_so(check_text: CheckText) -> None:
    groups = [build_group(build_member(build_entity(A), N), **say("final")), build_group()]
    assert check_text(json.dumps(build_bundle(*groups)))["mode_signal"] == "none"


def build_change(*parameters: tuple[str, Json]) -> str:
    return json.dumps(
        {"resourceType": "Parameters", "parameter": [{"name": name, **more} for name, more in parameters]}
    )


ID = ("memberId", {"valueIdentifier": {"system": US_MBI, "value": A}})
NPI = ("providerNpi", {"valueIdentifier": {"system": US_NPI, "value": N}})
PERIOD = ("attributionPeriod", {"valuePeriod": {"start": "2021-08-01"}})
PATIENT = ("patientReference", {"valueReference": build_entity(A)})
PROVIDER = ("providerReference", {"valueReference": {"identifier": {"system": US_NPI, "value": N}}})
CHANGES: list[tuple[tuple[Any, ...], str, list[Any], list[Any], list[Any]]] = [
    ((ID, NPI, PERIOD), "body", [[A, N]], [], []),
    ((PATIENT, PROVIDER, PERIOD), "body", [[A, N]], [], []),
    ((ID,), "body", [], [[A, None]], []),
    ((ID, NPI), "member-add.json", [[A, N]], [], []),
    ((ID, NPI), "member_remove.json", [], [[A, N]], []),
    ((ID, NPI), "body", [], [], [["/parameter/0", "bad_action"]]),
    ((ID, NPI, PERIOD), "member-remove.json", [], [], [["/parameter/0", "bad_action"]]),
    ((ID,), "member_add.json", [], [], [["/parameter/0", "npi_missing"]]),
    ((NPI, ("memberId", {"valueIdentifier": {"system": "urn:payer", "value": A}})), "member_add", [], [],
     [["/parameter/1", "mbi_missing"]]),
    ((("patientReference", {"valueReference": {"reference": "Patient/1"}}),), "body", [], [],
     [["/parameter/0", "unresolved_reference"]]),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "name", "present", "remove", "errors"), CHANGES, ids=range(len(CHANGES)))
def test_a_member_change_is_read_and_never_guessed_to_be_an_addition(
    check_text: CheckText, parameters: Any, name: str, present: list[Any], remove: list[Any], errors: list[Any]
) -> None:
    found = check_text(build_change(*parameters), name)
    assert found["mode_signal"] == "delta"
    assert (found["present"], found["remove"], found["errors"]) == (present, remove, errors)


LINES = [
    build_group(
        build_member({"reference": "Patient/a"}, N), build_member({"reference": "Patient/x"}, N), **say("final")
    ),
    build_patient("a", A, birthDate="1939"),
    build_patient("b", B),
]


def test_resources_one_a_line_are_one_input(check_text: CheckText) -> None:
    text = "\n\n".join(json.dumps(one) for one in LINES)
    found = check_text(text)
    assert (found["format"], found["mode_signal"], found["present"]) == ("ndjson", "none", [[A, N]])
    assert found["errors"] == [["1#/member/1", "unresolved_reference"]]
    assert check_text(text + '\n{"resourceType":')["file_error"] == "truncated"
    alone = check_text("\n\n".join(json.dumps(one) for one in [*LINES[1:], build_patient("c", "x")]))
    assert alone["errors"] == [["5", "mbi_length"]]


def save_set(folder: Path, manifest: Json | None, **files: list[Json]) -> dict[str, Any]:
    for name, lines in files.items():
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return check_roster(folder, RosterOptions(Environment.SANDBOX))


def build_manifest(**more: Any) -> Json:
    output = [
        {"type": kind, "url": f"https://x.example.org/f/{kind}.ndjson", "count": n} for kind, n in (("G", 1), ("P", 2))
    ]
    return {"request": "https://x.example.org/$export", "output": output, "error": [], "deleted": [], **more}


MANIFESTS: list[tuple[Json | None, str]] = [
    (build_manifest(), "snapshot"),
    (build_manifest(request="https://x.example.org/$export?_since=2020-01-01"), "delta"),
    (build_manifest(deleted=[{"type": "Bundle", "url": "x"}]), "delta"),
    (build_manifest(error=[{"type": "OperationOutcome", "url": "x"}]), "partial"),
    (build_manifest(output=[*build_manifest()["output"], {"url": "https://x.example.org/Lost.ndjson"}]), "partial"),
    (build_manifest(output=[{"url": "G.ndjson", "count": 2}, {"url": "P.ndjson", "count": 2}]), "partial"),
    (build_manifest(output=[{"url": "G.ndjson"}, {"url": "P.ndjson"}, {"url": "sub/P.ndjson"}]), "partial"),
    (None, "none"),
]


@pytest.mark.parametrize(("manifest", "signal"), MANIFESTS, ids=range(len(MANIFESTS)))
def test_a_set_is_as_whole_as_its_manifest_says(tmp_path: Path, manifest: Json | None, signal: str) -> None:
    found = save_set(tmp_path, manifest, G=LINES[:1], P=LINES[1:])
    assert (found["format"], found["mode_signal"], found["present"]) == ("ndjson", signal, [[A, N]])
    assert found["errors"] == [["G.ndjson:1#/member/1", "unresolved_reference"]]
    assert found["warnings"] == [["G.ndjson:1#/member/0", "dob_partial"]]


def test_a_manifest_never_leads_out_of_its_folder(tmp_path: Path) -> None:
    inner = tmp_path / "set"
    inner.mkdir()
    (tmp_path / "P.ndjson").write_text(json.dumps(LINES[1]))
    (inner / "link.ndjson").symlink_to(tmp_path / "P.ndjson")
    output = [{"url": "../P.ndjson"}, {"url": str(tmp_path / "P.ndjson")}, {"url": "link.ndjson"}, {"url": ".."}]
    assert save_set(inner, build_manifest(output=output))["file_error"] == "unsupported_format_ndjson"


@pytest.mark.parametrize("text", ["", "[", "[]", "7", '{"output": 7}', "\xff"])
def test_a_strange_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, "latin-1")
    assert check_roster(tmp_path, RosterOptions(Environment.SANDBOX))["file_error"] is not None


MISSHAPEN: list[Any] = [None, 1, "x", [], {}, [None], [1], ["x"], [[]], [{}], {"end": 3}, {"reference": {}}]


@pytest.mark.parametrize("wrong", MISSHAPEN, ids=range(len(MISSHAPEN)))
def test_elements_of_the_wrong_shape_are_data_and_never_an_exception(check_text: CheckText, wrong: Any) -> None:
    for document in (
        build_group(wrong),
        {"resourceType": "Group", "member": wrong, "quantity": wrong, "characteristic": wrong},
        build_group(build_member(wrong, N), extension=wrong, type=wrong),
        build_group({"entity": build_entity(A), "extension": wrong, "period": wrong, "inactive": wrong}),
        build_group({"entity": build_entity(A), "extension": [{"url": wrong, "valueReference": wrong}]}),
        {"resourceType": "Parameters", "parameter": [{"name": "memberId", "valueIdentifier": wrong}, {"name": wrong}]},
        {"resourceType": "Parameters", "parameter": [{"name": "patientReference", "valueReference": wrong}]},
    ):
        found = check_text(json.dumps(document))
        assert all(pair == [A, N] for pair in found["present"])
