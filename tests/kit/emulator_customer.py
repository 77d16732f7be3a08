"""A small client that speaks raw HTTP to the emulator, and the resources it sends."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.emulator.server import Emulator

FHIR = "application/fhir+json"
SNIPPET = b"This is the snippet used to verify a key pair in DPC."
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"
HAS_ROSTER = (
    "Could not create a roster for this provider as they already have one.  "
    "Try updating it instead, or first deleting it."
)


def build_npi(number: int) -> str:
    """The NPI with these first nine digits' worth of number, check digit appended."""
    body = f"{number:09d}"
    for digit in "0123456789":
        total = 0
        for position, character in enumerate(reversed("80840" + body + digit)):
            value = int(character) * (1 + position % 2)
            total += value // 10 + value % 10
        if total % 10 == 0:
            return body + digit
    raise AssertionError("unreachable")


def build_mbi(number: int) -> str:
    """A sandbox-shape MBI: S in position 2."""
    return f"1S{number // 10000 % 10}0E{number // 1000 % 10}{number // 100 % 10}AA{number % 100:02d}"


@dataclass(frozen=True)
class KeyPair:
    """One private key with what POST /Key wants of it."""

    private: rsa.RSAPrivateKey
    pem: str
    signature: str

    def to_body(self) -> dict[str, str]:
        """What POST /Key takes."""
        return {"key": self.pem, "signature": self.signature}


def build_key_pair(bits: int = 4096) -> KeyPair:
    return build_key_pair_of(rsa.generate_private_key(65537, bits))


def build_key_pair_of(private: rsa.RSAPrivateKey) -> KeyPair:
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signature = private.sign(SNIPPET, PKCS1v15(), SHA256())
    return KeyPair(private, pem, base64.b64encode(signature).decode())


@dataclass
class Customer:
    """An onboarded organisation that speaks to the emulator as a customer's own scripts would."""

    emulator: Emulator
    organization_id: str
    client_token: str
    key_id: str
    key: KeyPair
    session: requests.Session = field(default_factory=requests.Session)
    token: str = ""
    logged_in_at: datetime | None = None

    def build_claims(self, **changes: Any) -> dict[str, Any]:
        claims: dict[str, Any] = {
            "iss": self.client_token,
            "sub": self.client_token,
            "aud": f"{self.emulator.v1_url}/Token/auth",
            "exp": int(self.emulator.now().timestamp()) + 240,
            "jti": str(uuid.uuid4()),
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None, algorithm: str = "RS384") -> str:
        head = {"kid": self.key_id} if headers is None else headers
        return jwt.PyJWS().encode(json.dumps(claims).encode(), self.key.private, algorithm, head)

    def exchange(self, assertion: str, **changes: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "scope": "system/*.*",
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        form.update(changes)
        sent = {name: value for name, value in form.items() if value is not None}
        return self.session.post(f"{self.emulator.v1_url}/Token/auth", data=sent, timeout=10)

    def log_in(self) -> str:
        answer = self.exchange(self.sign(self.build_claims()))
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        self.logged_in_at = self.emulator.now()
        return self.token

    def keep_logged_in(self) -> None:
        """A new token when the old one is near its end; each exchange counts against a caller's budget."""
        if self.logged_in_at is None or self.emulator.now() - self.logged_in_at > timedelta(minutes=3):
            self.log_in()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str | None] | None = None,
        provenance: Any = None,
        timeout: float = 10,
    ) -> requests.Response:
        """One request with a valid token and FHIR media types; a header of None is not sent."""
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.token}", "Accept": FHIR}
        raw: bytes | None = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = FHIR
        if provenance is not None:
            sent["X-Provenance"] = provenance if isinstance(provenance, str) else json.dumps(provenance)
        sent.update(headers or {})
        return self.session.request(method, self.emulator.v1_url + path, data=raw, headers=sent, timeout=timeout)

    def create_practitioner(self, npi: str = build_npi(300000001), family: str = "Doctor") -> dict[str, Any]:
        answer = self.send("POST", "/Practitioner", build_practitioner(npi, family))
        assert answer.status_code in (200, 201), answer.text
        created: dict[str, Any] = answer.json()
        return created

    def create_patient(self, number: int = 1) -> str:
        answer = self.send("POST", "/Patient", build_patient(build_mbi(number)))
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def create_group(self, practitioner: dict[str, Any], patient_ids: list[str]) -> dict[str, Any]:
        npi = practitioner["identifier"][0]["value"]
        answer = self.send("POST", "/Group", build_group(npi, patient_ids), provenance=self.attest(practitioner["id"]))
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def attest(self, practitioner_id: str) -> dict[str, Any]:
        return build_provenance(self.organization_id, practitioner_id)


def build_practitioner(npi: str, family: str = "Doctor", given: str = "Ada") -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": NPI_SYSTEM, "value": npi}],
        "name": [{"family": family, "given": [given]}],
    }


def build_patient(mbi: str, family: str = "Sample", **changes: Any) -> dict[str, Any]:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": MBI_SYSTEM, "value": mbi}],
        "name": [{"family": family, "given": ["Pat"]}],
        "gender": "female",
        "birthDate": "1940-02-01",
        **changes,
    }
    return {name: value for name, value in patient.items() if value is not None}


def build_group(npi: str, patient_ids: list[str], **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [{"system": NPI_SYSTEM, "code": npi}]},
                "exclude": False,
            }
        ],
        "member": [{"entity": {"reference": f"Patient/{one}"}} for one in patient_ids],
        **changes,
    }


def build_provenance(organization_id: str, practitioner_id: str) -> dict[str, Any]:
    role = {"coding": [{"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}]}
    return {
        "resourceType": "Provenance",
        "recorded": "2026-08-21T12:00:00.000+00:00",
        "reason": [{"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}],
        "agent": [
            {
                "role": [role],
                "whoReference": {"reference": f"Organization/{organization_id}"},
                "onBehalfOfReference": {"reference": f"Practitioner/{practitioner_id}"},
            }
        ],
    }


def build_parameters(resources: list[dict[str, Any]]) -> dict[str, Any]:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in resources],
    }
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": bundle}]}


def read_text(answer: requests.Response) -> str:
    """The text of an OperationOutcome's first issue, wherever it stands."""
    issue = answer.json()["issue"][0]
    return str(issue.get("details", {}).get("text") or issue.get("diagnostics"))


def onboard(emulator: Emulator, key: KeyPair, npi: str = build_npi(310000001)) -> Customer:
    organization_id, client_token = emulator.create_organization(npi, "Lakeside Practice")
    key_id = emulator.add_key(organization_id, key.pem, key.signature, "first")
    customer = Customer(emulator, organization_id, client_token, key_id, key)
    customer.log_in()
    return customer


@dataclass
class Scene:
    """A practitioner with patients and, when asked, a Group."""

    customer: Customer
    practitioner: dict[str, Any]
    patients: list[str]
    group_id: str = ""

    @property
    def npi(self) -> str:
        return str(self.practitioner["identifier"][0]["value"])

    @property
    def provenance(self) -> dict[str, Any]:
        return self.customer.attest(self.practitioner["id"])

    def add(self, ids: list[str], **options: Any) -> requests.Response:
        return self.customer.send(
            "POST",
            f"/Group/{self.group_id}/$add",
            build_group(self.npi, ids),
            provenance=self.provenance,
            **options,
        )

    def remove(self, ids: list[str], **options: Any) -> requests.Response:
        return self.customer.send("POST", f"/Group/{self.group_id}/$remove", build_group(self.npi, ids), **options)

    def replace(self, ids: list[str], **options: Any) -> requests.Response:
        return self.customer.send(
            "PUT",
            f"/Group/{self.group_id}",
            build_group(self.npi, ids),
            provenance=self.provenance,
            **options,
        )

    def create(self, ids: list[str], **options: Any) -> requests.Response:
        body = options.pop("body", None) or build_group(self.npi, ids)
        return self.customer.send("POST", "/Group", body, provenance=self.provenance, **options)

    def read_members(self) -> dict[str, dict[str, Any]]:
        """Members by patient id, after a fresh login (clock jumps outlive tokens)."""
        self.customer.log_in()
        answer = self.customer.send("GET", f"/Group/{self.group_id}")
        assert answer.status_code == 200, answer.text
        return {one["entity"]["reference"].removeprefix("Patient/"): one for one in answer.json().get("member", [])}
