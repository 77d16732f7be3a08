"""A small client that speaks raw HTTP to version 2 of the emulator, and the resources it sends."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.emulator.server import Emulator

FHIR = "application/fhir+json; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
SNIPPET = b"This is the snippet used to verify a key pair."
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"
NPI = "9999900009"
ORGANIZATION_NPI = "1234567893"
EXTENSION = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def build_mbi(number: int) -> str:
    """A sandbox-shape MBI: S in position 2."""
    return f"1S00E0{number // 100 % 10}AA{number % 100:02d}"


@dataclass(frozen=True)
class KeyPair:
    private: rsa.RSAPrivateKey
    pem: str
    signature: str


def build_key_pair(bits: int = 2048) -> KeyPair:
    private = rsa.generate_private_key(65537, bits)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signature = private.sign(SNIPPET, PKCS1v15(), SHA256())
    return KeyPair(private, pem, base64.b64encode(signature).decode())


def format_instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


@dataclass
class Customer:
    """An organisation with a system of version 2."""

    emulator: Emulator
    organization_id: str
    system_id: str
    client_token: str
    key_id: str
    key: KeyPair
    session: requests.Session
    token: str = ""

    def build_claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.emulator.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.client_token,
            "sub": self.client_token,
            "aud": f"{self.emulator.v2_url}/Token/auth",
            "iat": now - 10,
            "exp": now + 240,
            "jti": str(uuid.uuid4()),
        }
        claims.update(changes)
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self, claims: dict[str, Any], head: dict[str, Any] | None = None, algorithm: str = "RS384", key: Any = None
    ) -> str:
        used = {"kid": self.key_id} if head is None else head
        return jwt.PyJWS().encode(json.dumps(claims).encode(), key or self.key.private, algorithm, used)

    def exchange(self, assertion: str, **changes: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "scope": "system/*.*",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            **changes,
        }
        sent = {name: value for name, value in form.items() if value is not None}
        return self.session.post(f"{self.emulator.v2_url}/Token/auth", data=sent, timeout=10)

    def log_in(self) -> str:
        answer = self.exchange(self.sign(self.build_claims()))
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self.token

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str | None] | None = None,
        provenance: Any = None,
    ) -> requests.Response:
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.token}"}
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if provenance is not None:
            sent["X-Provenance"] = provenance if isinstance(provenance, str) else json.dumps(provenance)
        sent.update(headers or {})
        return self.session.request(method, self.emulator.v2_url + path, data=raw, headers=sent, timeout=10)

    def is_dropped(self, method: str, path: str, body: Any = None, **options: Any) -> bool:
        """Whether the connection is closed without an answer."""
        try:
            self.send(method, path, body, **options)
        except requests.ConnectionError:
            return True
        return False

    def attest(self, **changes: Any) -> dict[str, Any]:
        recorded_at = self.emulator.now() - timedelta(seconds=5)
        return build_provenance(self.organization_id, recorded=format_instant(recorded_at), **changes)

    def post_group(self, body: Any) -> requests.Response:
        return self.send("POST", "/Group", body, provenance=self.attest())

    def create_group(self, numbers: list[int]) -> str:
        answer = self.post_group(build_group(numbers))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def export(self, group_id: str, query: str = "", prefer: str | None = "respond-async") -> requests.Response:
        return self.send("GET", f"/Group/{group_id}/$export{query}", headers={"Prefer": prefer})

    def start_job(self, group_id: str, query: str = "") -> str:
        answer = self.export(group_id, query)
        assert answer.status_code == 202, answer.text
        return answer.headers["Content-Location"].rpartition("/")[2]

    def finish_job(self, job_id: str) -> dict[str, Any]:
        for _ in range(5):
            answer = self.send("GET", f"/Jobs/{job_id}")
            if answer.status_code == 200:
                manifest: dict[str, Any] = answer.json()
                return manifest
            assert answer.status_code == 202, answer.text
        raise AssertionError("the job does not end")

    def fetch(self, entry: dict[str, Any], **options: Any) -> requests.Response:
        return self.send("GET", "/Data/" + entry["url"].rpartition("/")[2], **options)

    def fetch_lines(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.fetch(entry)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def count_jobs(self) -> int:
        with self.emulator.state.begin() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM v2_jobs").scalar() or 0)

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.emulator.base_url}/_emulator{path}", json=body, timeout=10)


def build_member(mbi: str, npi: str = NPI) -> dict[str, Any]:
    practitioner = {"type": "Practitioner", "identifier": {"system": NPI_SYSTEM, "value": npi}}
    return {
        "entity": {"type": "Patient", "identifier": {"system": MBI_SYSTEM, "value": mbi}},
        "extension": [{"url": EXTENSION, "valueReference": practitioner}],
    }


def build_group(numbers: list[int], **changes: Any) -> dict[str, Any]:
    group = {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "name": "Panel",
        "member": [build_member(build_mbi(number)) for number in numbers],
        **changes,
    }
    return {name: value for name, value in group.items() if value is not None}


def build_provenance(organization_id: str, **changes: Any) -> dict[str, Any]:
    treat = {"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}
    agent = {"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}
    provenance = {
        "resourceType": "Provenance",
        "reason": [{"coding": [treat]}],
        "agent": [
            {"role": [{"coding": [agent]}], "who": {"reference": f"Organization/{organization_id}"}},
        ],
        **changes,
    }
    return {name: value for name, value in provenance.items() if value is not None}


def read_issue(answer: requests.Response) -> tuple[int, str, str, str]:
    """Status, severity, code and text of an answer with one OperationOutcome."""
    outcome = answer.json()
    assert (outcome["resourceType"], len(outcome["issue"])) == ("OperationOutcome", 1)
    issue = outcome["issue"][0]
    assert issue["diagnostics"]
    return answer.status_code, issue["severity"], issue["code"], issue["details"]["text"]


def rule(text: str, status: int = 400) -> tuple[int, str, str, str]:
    """What a broken rule looks like (contract-v2 2.1)."""
    return status, "warning", "Business Rule Violation", text


def missing(text: str) -> tuple[int, str, str, str]:
    """What is not found."""
    return 404, "warning", "Not Found", text


def fault(status: int, text: str) -> tuple[int, str, str, str]:
    """Everything else."""
    return status, "error", "Exception", text


def onboard(emulator: Emulator, key: KeyPair, session: requests.Session, npi: str = ORGANIZATION_NPI) -> Customer:
    organization_id, _ = emulator.create_organization(npi, "Lakeside Practice")
    system = emulator.create_v2_system(organization_id, key.pem, key.signature)
    credentials = (system["system_id"], system["client_token"], system["key_id"])
    customer = Customer(emulator, organization_id, *credentials, key, session)
    customer.log_in()
    return customer
