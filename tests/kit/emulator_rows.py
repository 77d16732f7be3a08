"""The endpoint table of contract-v1 section 0 as rows that can be asked, and the stage they are asked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from emulator_customer import (
    FHIR,
    KeyPair,
    Scene,
    build_group,
    build_key_pair,
    build_mbi,
    build_npi,
    build_parameters,
    build_patient,
    build_practitioner,
)
from emulator_exports import ask, finish

JSON = "application/json"
NDJSON = "application/ndjson"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Stage:
    """A roster, and ids of everything a path may name, made when a row asks for them."""

    roster: Scene
    made: dict[str, str] = field(default_factory=dict)
    spare_key: Callable[[], KeyPair] = build_key_pair

    def find(self, name: str) -> str:
        """The id of `name`; whatever had to be made for it is remembered."""
        if name not in self.made:
            self.made[name] = getattr(self, f"make_{name}")()
        return self.made[name]

    def fill(self, path: str) -> str:
        """The path with its ids in place."""
        for name in ("organization", "practitioner", "patient", "group", "token", "key", "address", "job", "file"):
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", self.find(name))
        return path

    def make_organization(self) -> str:
        return self.roster.customer.organization_id

    def make_practitioner(self) -> str:
        return str(self.roster.practitioner["id"])

    def make_patient(self) -> str:
        return self.roster.patients[0]

    def make_group(self) -> str:
        return self.roster.group_id

    def make_token(self) -> str:
        return self._post("/Token", {"label": "row"})

    def make_key(self) -> str:
        return self._post("/Key?label=row", self.build_key())

    def make_address(self) -> str:
        return self._post("/IpAddress", {"ip_address": "192.0.2.7"})

    def make_job(self) -> str:
        asked = ask(self.roster.customer, f"/Group/{self.roster.group_id}")
        finish(self.roster.customer, asked)
        return asked.headers["Content-Location"].rpartition("/")[2]

    def make_file(self) -> str:
        completed = finish(self.roster.customer, ask(self.roster.customer, f"/Group/{self.roster.group_id}"))
        url: str = completed["output"][0]["url"]
        return url.rpartition("/")[2].removesuffix(".ndjson")

    def build_key(self) -> dict[str, str]:
        return self.spare_key().to_body()

    def _post(self, path: str, body: Any) -> str:
        answer = self.roster.customer.send("POST", path, body, headers={"Accept": JSON, "Content-Type": JSON})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def clear(self) -> None:
        """Take back what does not go with practitioners and patients."""
        for name, path in (("token", "/Token"), ("key", "/Key"), ("address", "/IpAddress")):
            if name in self.made:
                self.roster.customer.send("DELETE", f"{path}/{self.made[name]}", headers={"Accept": JSON})


Builder = Callable[[Stage], Any]
Check = Callable[[requests.Response, Stage], bool]


@dataclass(frozen=True)
class Row:
    """One method and path of the table; `auth` B, P or A as there, `own` for an id that must be the token's."""

    method: str
    path: str
    auth: str
    kind: str
    status: int
    check: Check = lambda _answer, _stage: True
    accept: str = FHIR
    body: Builder | None = None
    content: str = ""
    provenance: bool = False
    own: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, stage: Stage, **changes: Any) -> requests.Response:
        """The request as the table wants it; `headers`, `provenance` and `path` change it."""
        headers: dict[str, str | None] = {"Accept": self.accept, **dict(self.headers)}
        body = None if self.body is None else self.body(stage)
        if body is not None:
            headers["Content-Type"] = self.content or (FHIR if self.kind == "F" else JSON)
        if self.auth == "P":
            headers["Authorization"] = None
        if self.auth == "A":
            headers["Authorization"] = f"Bearer {stage.roster.customer.emulator.golden_macaroon()}"
        headers.update(changes.get("headers", {}))
        provenance = changes.get("provenance", stage.roster.provenance if self.provenance else None)
        path = changes.get("path") or stage.fill(self.path)
        return stage.roster.customer.send(self.method, path, body, headers=headers, provenance=provenance)


def is_resource(kind: str) -> Check:
    return lambda answer, _stage: answer.json()["resourceType"] == kind


def is_bundle(kind: str) -> Check:
    return lambda answer, _stage: (answer.json()["resourceType"], answer.json()["type"]) == ("Bundle", kind)


def has_keys(*names: str) -> Check:
    return lambda answer, _stage: set(names) <= set(answer.json())


def finds(total: int) -> Check:
    return lambda answer, _stage: answer.json()["total"] == total


def is_empty(answer: requests.Response, _stage: Stage) -> bool:
    return answer.content == b""


def _build_form(stage: Stage) -> bytes:
    customer = stage.roster.customer
    form = {
        "scope": "system/*.*",
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": customer.sign(customer.build_claims()),
    }
    encoded = requests.Request("POST", "http://x", data=form).prepare().body
    assert isinstance(encoded, str)
    return encoded.encode()


def _build_jwt(stage: Stage) -> bytes:
    return stage.roster.customer.sign(stage.roster.customer.build_claims()).encode()


def build_organization(npi: str) -> dict[str, Any]:
    address = {
        "use": "work",
        "type": "both",
        "line": ["1 Sample Road"],
        "city": "Springfield",
        "state": "IL",
        "postalCode": "62701",
        "country": "US",
    }
    identifier = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}]
    return {"resourceType": "Organization", "identifier": identifier, "name": "Sample", "address": [address]}


def _build_own_organization(stage: Stage) -> dict[str, Any]:
    own: dict[str, Any] = stage.roster.customer.send("GET", f"/Organization/{stage.find('organization')}").json()
    return own


def _build_members(stage: Stage) -> dict[str, Any]:
    return build_group(stage.roster.npi, stage.roster.patients[:2])


def _build_new_group(stage: Stage) -> dict[str, Any]:
    """The practitioner's Group is taken away first: a second one is refused."""
    assert stage.roster.customer.send("DELETE", f"/Group/{stage.find('group')}").status_code == 200
    return _build_members(stage)


def _build_validation(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}]}


NEW_NPI = build_npi(300000777)
NEW_PATIENT = build_patient(build_mbi(77))
NEW_PRACTITIONER = build_practitioner(NEW_NPI)
ENTITIES = has_keys("entities", "count", "created_at")
ASYNC = (("Prefer", "respond-async"),)

ROWS = [
    Row("POST", "/Token", "B", "J", 200, has_keys("token", "id"), JSON, lambda _s: {"label": "row"}),
    Row("GET", "/Token", "B", "J", 200, ENTITIES, JSON),
    Row("GET", "/Token/{token}", "B", "J", 200, lambda a, _s: "token" not in a.json(), JSON),
    Row("DELETE", "/Token/{token}", "B", "J", 204, is_empty, JSON),
    Row("POST", "/Token/auth", "P", "J", 200, has_keys("access_token", "expires_in"), JSON, _build_form, FORM),
    Row("POST", "/Token/validate", "P", "J", 200, is_empty, JSON, _build_jwt, "text/plain"),
    Row("POST", "/Key?label=row", "B", "J", 200, has_keys("id", "publicKey"), JSON, lambda s: s.build_key()),
    Row("GET", "/Key", "B", "J", 200, ENTITIES, JSON),
    Row("GET", "/Key/{key}", "B", "J", 200, has_keys("id", "label"), JSON),
    Row("DELETE", "/Key/{key}", "B", "J", 200, is_empty, JSON),
    Row("GET", "/IpAddress", "B", "J", 200, ENTITIES, JSON),
    Row("POST", "/IpAddress", "B", "J", 200, has_keys("ipAddress"), JSON, lambda _s: {"ip_address": "192.0.2.9"}),
    Row("DELETE", "/IpAddress/{address}", "B", "J", 204, is_empty, JSON),
    Row("GET", "/Organization", "B", "F", 200, is_bundle("collection")),
    Row("GET", "/Organization/{organization}", "B", "F", 200, is_resource("Organization"), own="Organization"),
    Row(
        "PUT", "/Organization/{organization}", "B", "F", 200, is_resource("Organization"),
        body=_build_own_organization, own="Organization",
    ),
    Row(
        "POST", "/Organization/$submit", "A", "F", 200, is_resource("Organization"),
        body=lambda _s: build_parameters([build_organization(build_npi(310000099))]),
    ),
    Row("DELETE", "/Organization/{organization}", "A", "F", 200, is_empty),
    Row("GET", "/Admin/Organization?npis=" + build_npi(310000001), "A", "F", 200, is_resource("Bundle")),
    Row("POST", "/Practitioner", "B", "F", 201, is_resource("Practitioner"), body=lambda _s: NEW_PRACTITIONER),
    Row("GET", "/Practitioner", "B", "F", 200, is_bundle("searchset")),
    Row("GET", "/Practitioner?identifier=" + NEW_NPI, "B", "F", 200, finds(0)),
    Row("GET", "/Practitioner/{practitioner}", "B", "F", 200, is_resource("Practitioner"), own="Practitioner"),
    Row("DELETE", "/Practitioner/{practitioner}", "B", "F", 200, is_empty, own="Practitioner"),
    Row(
        "PUT", "/Practitioner/{practitioner}", "B", "F", 501, is_resource("OperationOutcome"),
        body=lambda _s: NEW_PRACTITIONER, own="Practitioner",
    ),
    Row(
        "POST", "/Practitioner/$submit", "B", "F", 200, is_bundle("collection"),
        body=lambda _s: build_parameters([NEW_PRACTITIONER]),
    ),
    Row(
        "POST", "/Practitioner/$validate", "B", "F", 200, is_resource("OperationOutcome"),
        body=lambda _s: _build_validation(NEW_PRACTITIONER),
    ),
    Row("POST", "/Patient", "B", "F", 201, is_resource("Patient"), body=lambda _s: NEW_PATIENT),
    Row("GET", "/Patient", "B", "F", 200, is_bundle("searchset")),
    Row("GET", "/Patient?_count=2&_offset=1", "B", "F", 200, lambda a, _s: len(a.json()["entry"]) == 2),
    Row("GET", "/Patient/{patient}", "B", "F", 200, is_resource("Patient"), own="Patient"),
    Row("PUT", "/Patient/{patient}", "B", "F", 200, is_resource("Patient"), body=lambda _s: NEW_PATIENT, own="Patient"),
    Row("DELETE", "/Patient/{patient}", "B", "F", 200, is_empty, own="Patient"),
    Row(
        "POST", "/Patient/$submit", "B", "F", 200, is_bundle("collection"),
        body=lambda _s: build_parameters([NEW_PATIENT]),
    ),
    Row(
        "POST", "/Patient/$validate", "B", "F", 200, is_resource("OperationOutcome"),
        body=lambda _s: _build_validation(NEW_PATIENT),
    ),
    Row("GET", "/Patient/{patient}/$everything", "B", "F", 200, is_resource("Bundle"), provenance=True, own="Patient"),
    Row(
        "GET", "/Patient/{patient}/$export?_outputFormat=ndjson", "B", "F", 202, is_empty, provenance=True,
        own="Patient", headers=ASYNC,
    ),
    Row("POST", "/Group", "B", "F", 201, is_resource("Group"), body=_build_new_group, provenance=True),
    Row("GET", "/Group", "B", "F", 200, is_bundle("searchset")),
    Row("GET", f"/Group?characteristic-value=attributed-to${NEW_NPI}", "B", "F", 200, finds(0)),
    Row("GET", "/Group?member=Patient/{patient}", "B", "F", 200, finds(1)),
    Row("GET", "/Group/{group}", "B", "F", 200, is_resource("Group"), own="Group"),
    Row(
        "PUT", "/Group/{group}", "B", "F", 200, is_resource("Group"),
        body=_build_members, provenance=True, own="Group",
    ),
    Row(
        "POST", "/Group/{group}/$add", "B", "F", 200, is_resource("Group"),
        body=_build_members, provenance=True, own="Group",
    ),
    Row("POST", "/Group/{group}/$remove", "B", "F", 200, is_resource("Group"), body=_build_members, own="Group"),
    Row("DELETE", "/Group/{group}", "B", "F", 200, is_empty, own="Group"),
    Row("GET", "/Group/{group}/$export", "B", "F", 202, is_empty, own="Group", headers=ASYNC),
    Row("GET", "/Jobs/{job}", "B", "J", 200, has_keys("output", "error"), JSON),
    Row("GET", "/Data/{file}.ndjson", "B", "J", 200, lambda a, _s: a.content.count(b"\n") > 0, NDJSON),
    Row("HEAD", "/Data/{file}.ndjson", "B", "J", 200, lambda a, _s: int(a.headers["Content-Length"]) > 0, NDJSON),
    Row("GET", "/metadata", "P", "J", 200, is_resource("CapabilityStatement")),
    Row("GET", "/version", "P", "J", 200, lambda a, _s: a.text[7:8] == ".", "text/plain"),
    Row("GET", "/StructureDefinition", "P", "F", 200, is_resource("Bundle")),
    Row("GET", "/StructureDefinition/dpc-profile-patient", "P", "F", 200, is_resource("StructureDefinition")),
]  # fmt: skip
