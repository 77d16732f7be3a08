"""One organisation at a real emulator, on a frozen clock, with everything that a test needs to watch it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from service.dpc.client import DpcClient
from service.dpc.credentials import Credentials, generate_key_pair, load_private_key, sign_snippet
from service.dpc.records import GroupState, NewPatient, NewPractitioner
from service.dpc.transport import TransportOptions
from service.emulator.server import Emulator, EmulatorOptions

ORGANIZATION_NPI = "1111111112"
NPI = "2459425221"
OTHER_NPI = "1234567893"
ATTEMPT = "attempt-1"


@dataclass(frozen=True)
class KeyPair:
    """One key with all its faces; making one takes seconds."""

    private_key: RSAPrivateKey
    public_pem: str
    signature: str


@dataclass
class Practice:
    """An organisation at the emulator, and the clients that speak for it."""

    emulator: Emulator
    credentials: Credentials
    keys: KeyPair
    stack: ExitStack
    slept: list[float] = field(default_factory=list)

    def open_client(
        self, clock: Callable[[], datetime] | None = None, read_timeout_seconds: float = 5.0, **changed: Any
    ) -> DpcClient:
        """A client of its own session and token, on the emulator's clock unless another is given."""
        fields = {name: getattr(self.credentials, name) for name in self.credentials.__dataclass_fields__}
        client = DpcClient(
            Credentials(**{**fields, **changed}),
            allowed_origins=[self.emulator.base_url],
            clock=clock or self.emulator.now,
            options=TransportOptions(read_timeout_seconds=read_timeout_seconds),
            sleep=self.slept.append,
        )
        return self.stack.enter_context(client)

    def register(self, client: DpcClient, patients: int = 3) -> tuple[str, list[str]]:
        """Registers the practitioner and some patients; answers the practitioner's id and the patients' ids."""
        (practitioner,) = client.submit_practitioners([NewPractitioner(NPI, "Gale", "Sample")])
        records = client.submit_patients([build_new_patient(number) for number in range(patients)])
        return practitioner.practitioner_id, [record.patient_id for record in records]

    def build_provenance(self, practitioner_id: str) -> str:
        """The smallest attestation that DPC takes."""
        return build_provenance(self.credentials.organization_id, practitioner_id)

    def create_group(self, client: DpcClient, patients: int = 3) -> tuple[GroupState, str, list[str]]:
        """Registers and attests; answers the Group, a Provenance for more, and the patients' ids."""
        practitioner_id, patient_ids = self.register(client, patients)
        provenance = self.build_provenance(practitioner_id)
        return client.create_group(NPI, patient_ids, provenance, ATTEMPT), provenance, patient_ids

    def count(self, path: str, method: str | None = None) -> int:
        """How many requests the emulator saw whose path ends so."""
        return sum(entry["path"].endswith(path) and method in (None, entry["method"]) for entry in self.emulator.log())


def build_new_patient(number: int) -> NewPatient:
    """A synthetic patient of its own MBI."""
    return NewPatient(f"1S00E00AA{number:02d}", "Anna", "Example", date(1940, 2, 1), "female")


def build_provenance(organization_id: str, practitioner_id: str) -> str:
    """The minimal value of contract-v1 9.1, on one line."""
    role = {"coding": [{"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}]}
    agent = {
        "role": [role],
        "whoReference": {"reference": f"Organization/{organization_id}"},
        "onBehalfOfReference": {"reference": f"Practitioner/{practitioner_id}"},
    }
    provenance = {
        "resourceType": "Provenance",
        "recorded": "2026-03-01T12:00:00.000+00:00",
        "reason": [{"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}],
        "agent": [agent],
    }
    return orjson.dumps(provenance).decode("ascii")


@pytest.fixture(scope="session")
def keys() -> KeyPair:
    """The one key of these tests."""
    private_pem, public_pem = generate_key_pair()
    private_key = load_private_key(private_pem)
    return KeyPair(private_key, public_pem, sign_snippet(private_key))


@pytest.fixture
def practice(keys: KeyPair) -> Iterator[Practice]:
    """A fresh emulator with one organisation."""
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(EmulatorOptions(clock="frozen")))
        organization_id, client_token = emulator.create_organization(ORGANIZATION_NPI, "Lakeside")
        key_id = emulator.add_key(organization_id, keys.public_pem, keys.signature, "first")
        credentials = Credentials(emulator.v1_url, client_token, key_id, keys.private_key, organization_id)
        yield Practice(emulator, credentials, keys, stack)


@pytest.fixture
def client(practice: Practice) -> DpcClient:
    """A client of the organisation."""
    return practice.open_client()
