"""A small client of the preview, and the resources of its documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import requests

from service.emulator.server import Emulator

FHIR = "application/fhir+json"
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"
NPI = "9999900009"
OTHER_NPI = "1245319599"


def build_mbi(number: int) -> str:
    """A sandbox-shape MBI: S in position 2."""
    return f"1S00E0{number // 100 % 10}AA{number % 100:02d}"


@dataclass
class Customer:
    """An organisation with a token that the operator handed out."""

    emulator: Emulator
    organization_id: str
    token: str
    session: requests.Session = field(default_factory=requests.Session)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> requests.Response:
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.token}", "Accept": FHIR, **(headers or {})}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.request(method, self.emulator.preview_url + path, data=raw, headers=sent, timeout=10)

    def create(self, kind: str, body: dict[str, Any]) -> str:
        answer = self.send("POST", f"/{kind}", body)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def read_members(self, npi: str = NPI) -> set[str]:
        """The patients attributed to a practitioner, as the documented search shows them."""
        answer = self.send("GET", f"/Group?characteristic=attributed-to&characteristic-code={npi}")
        assert answer.status_code == 200, answer.text
        groups = [entry["resource"] for entry in answer.json()["entry"]]
        return {one["entity"]["reference"].removeprefix("Patient/") for group in groups for one in group["member"]}

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.emulator.base_url}/_emulator{path}", json=body, timeout=10)


def build_practitioner(npi: str = NPI) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": NPI_SYSTEM, "value": npi}],
        "name": [{"family": "Doctor", "given": ["Ada"]}],
    }


def build_patient(number: int = 1, **changes: Any) -> dict[str, Any]:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": MBI_SYSTEM, "value": build_mbi(number)}],
        "name": [{"family": "Sample", "given": ["Pat"]}],
        "birthDate": "1940-02-01",
        **changes,
    }
    return {name: value for name, value in patient.items() if value is not None}


def build_group(patient_ids: list[str], inactive: tuple[str, ...] = (), npi: str = NPI) -> dict[str, Any]:
    """A Group as the documentation writes it: a single characteristic, the NPI under `value`."""
    members: list[dict[str, Any]] = [{"entity": {"reference": f"Patient/{one}"}} for one in patient_ids]
    members += [{"entity": {"reference": f"Patient/{one}"}, "inactive": True} for one in inactive]
    return {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "characteristic": {
            "code": {"coding": [{"code": "attributed-to"}]},
            "valueCodeableConcept": {"coding": [{"system": NPI_SYSTEM, "value": npi}]},
        },
        "member": members,
    }


def read_text(answer: requests.Response) -> str:
    return str(answer.json()["issue"][0]["details"]["text"])
