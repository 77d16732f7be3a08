"""The verbs of DPC v1: reading what DPC holds, and the few writes, each judged by the state it answers with."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import orjson

from service.domain.errors import AttestationRefused, InvalidInput
from service.dpc import checks
from service.dpc.auth import TokenSource
from service.dpc.calls import Call, CallDesk
from service.dpc.credentials import Credentials
from service.dpc.dialects import v1
from service.dpc.errors import DpcProtocolError
from service.dpc.records import (
    GroupState,
    KeyRecord,
    NewPatient,
    NewPractitioner,
    OrganizationRecord,
    PatientRecord,
    PractitionerRecord,
    TokenRecord,
)
from service.dpc.transport import Effect, Transport, TransportOptions

T = TypeVar("T")

PATIENTS_PER_PAGE = 5000
_LABEL_LIMIT = 25  # contract-v1 4.8
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class DpcClient:
    """Speaks to DPC for one organisation; holds one token and one session, and is used by one thread at a time.

    Reads raise DpcUnavailable, DpcProtocolError or DpcRefused; writes raise DpcUnavailable (certainly not sent),
    OutcomeUnknown or DpcRefused; both raise NotAuthorized when a fresh token is refused too.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        allowed_origins: Collection[str],
        clock: Callable[[], datetime],
        options: TransportOptions | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises NotAllowed, before anything is connected, for a base address that is not on the list of origins."""
        self._credentials = credentials
        self._transport = Transport(allowed_origins, clock=clock, options=options, sleep=sleep)
        self._transport.check_origin(credentials.base_url)
        tokens = TokenSource(credentials, self._transport, clock)
        self._desk = CallDesk(credentials.base_url, self._transport, tokens)
        self._npi_by_group: dict[str, str] = {}
        self._npi_by_practitioner: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes every connection."""
        self._transport.close()

    @property
    def request_count(self) -> int:
        """How many requests went out so far, those for tokens and repeated reads included."""
        return self._transport.request_count

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the server's clock is ahead of ours, to about a second; None before any answer."""
        return self._transport.clock_offset

    @property
    def server_now(self) -> datetime:
        """The server's time as far as its answers have told, else our own."""
        return self._transport.read_server_now()

    # Reading

    def read_groups(self) -> list[GroupState]:
        """Answers every Group of the organisation with all its rows, in one call."""
        return self._read_bundle("/Group", "Group", self._read_group)

    def read_group(self, group_id: str) -> GroupState:
        """Answers one Group; raises NotFoundAtDpc when the organisation has none of that id."""
        checks.check_ids([group_id])
        return self._desk.read(Call("GET", f"/Group/{group_id}"), self._read_group)

    def find_groups_by_npi(self, npi: str) -> list[GroupState]:
        """Answers the Groups of one practitioner: none, one, or two after a race (contract-v1 14 no. 10)."""
        checks.check_npi(npi)
        path = "/Group?characteristic-value=" + quote(f"attributed-to${npi}", safe="")
        groups = self._read_bundle(path, "Group", self._read_group)
        if any(group.npi != npi for group in groups):  # a server that does not know the parameter answers all Groups
            raise DpcProtocolError("A search for one practitioner answered Groups of others.")
        return groups

    def read_patients(self, expected_count: int = 0) -> list[PatientRecord]:
        """Answers every patient of the organisation: in one call, or in pages when more than 5,000 are expected.

        Pages come in order of ids; a patient who moves from page to page through somebody else's change counts once.
        """
        if expected_count <= PATIENTS_PER_PAGE:
            return self._read_bundle("/Patient", "Patient", v1.read_patient)
        found: dict[str, PatientRecord] = {}
        offset = 0
        while True:
            page, has_more = self._desk.read(
                Call("GET", f"/Patient?_count={PATIENTS_PER_PAGE}&_offset={offset}"), _read_patient_page
            )
            found |= {patient.patient_id: patient for patient in page}
            offset += PATIENTS_PER_PAGE
            if not has_more or not page:
                return list(found.values())

    def read_practitioners(self) -> list[PractitionerRecord]:
        """Answers every practitioner of the organisation, in one call."""
        practitioners = self._read_bundle("/Practitioner", "Practitioner", v1.read_practitioner)
        self._remember_practitioners(practitioners)
        return practitioners

    def read_organization(self) -> OrganizationRecord:
        """Answers the organisation that the token belongs to."""
        return self._desk.read(Call("GET", "/Organization"), v1.read_organization)

    # Registering

    def submit_patients(self, patients: Sequence[NewPatient]) -> list[PatientRecord]:
        """Registers patients, all or none; answers them as stored, which for known MBIs is not as sent.

        Raises InvalidInput for what DPC would refuse, OutcomeUnknown unless the answer holds every MBI.
        """
        checks.check_new_patients(patients)
        call = Call("POST", "/Patient/$submit", v1.build_patients(patients), effect=Effect.WRITE)
        intended = {patient.mbi for patient in patients}

        def read(tree: dict[str, Any]) -> list[PatientRecord]:
            stored = [v1.read_patient(resource) for resource in v1.read_resources(tree, "Patient")]
            checks.check_all_there(intended, (patient.mbi for patient in stored))
            return stored

        return self._desk.write(call, read)

    def submit_practitioners(self, practitioners: Sequence[NewPractitioner]) -> list[PractitionerRecord]:
        """Registers practitioners, all or none; answers them as stored, which for known NPIs is not as sent.

        Raises InvalidInput for what DPC would refuse, OutcomeUnknown unless the answer holds every NPI.
        """
        checks.check_new_practitioners(practitioners)
        call = Call("POST", "/Practitioner/$submit", v1.build_practitioners(practitioners), effect=Effect.WRITE)
        intended = {practitioner.npi for practitioner in practitioners}

        def read(tree: dict[str, Any]) -> list[PractitionerRecord]:
            resources = v1.read_resources(tree, "Practitioner")
            stored = [v1.read_practitioner(resource) for resource in resources]
            checks.check_all_there(intended, (practitioner.npi for practitioner in stored))
            return stored

        stored = self._desk.write(call, read)
        self._remember_practitioners(stored)
        return stored

    # Changing Groups: each call is sent once; 2xx counts only when the answer shows every patient as intended

    def create_group(self, npi: str, patient_ids: Sequence[str], provenance: str, request_id: str) -> GroupState:
        """Creates a practitioner's Group; raises GroupExists when there is one."""
        self._check_attestation(npi, patient_ids, provenance)
        call = _build_group_call("POST", "/Group", v1.build_group(npi, patient_ids), request_id, provenance)
        return self._write_group(
            call, None, npi, lambda group: checks.check_attested(group, patient_ids, self.server_now)
        )

    def add_to_group(
        self, group_id: str, npi: str, patient_ids: Sequence[str], provenance: str, request_id: str
    ) -> GroupState:
        """Adds patients, and renews those that are active already (contract-v1 14 no. 4).

        Raises AttestationRefused, before anything is sent, when the Group belongs to another NPI.
        """
        self._check_attestation(npi, patient_ids, provenance)
        self._check_group(group_id, npi)
        path = f"/Group/{group_id}/$add"
        call = _build_group_call("POST", path, v1.build_group(npi, patient_ids), request_id, provenance)
        return self._write_group(
            call, group_id, npi, lambda group: checks.check_attested(group, patient_ids, self.server_now)
        )

    def replace_group(
        self, group_id: str, npi: str, patient_ids: Sequence[str], provenance: str, request_id: str
    ) -> GroupState:
        """Replaces all rows of a Group, which re-attests everybody listed and erases its history (contract-v1 9.4).

        Raises InvalidInput for an empty list, which would empty the Group.
        """
        self._check_attestation(npi, patient_ids, provenance)
        self._check_group(group_id, npi)
        path = f"/Group/{group_id}"
        call = _build_group_call("PUT", path, v1.build_group(npi, patient_ids), request_id, provenance)
        return self._write_group(
            call, group_id, npi, lambda group: checks.check_replaced(group, patient_ids, self.server_now)
        )

    def remove_from_group(self, group_id: str, npi: str, patient_ids: Sequence[str], request_id: str) -> GroupState:
        """Ends attributions, all or none; needs no attestation. Raises NotAttributed when one has no row."""
        checks.check_npi(npi)
        checks.check_patient_ids(patient_ids)
        self._check_group(group_id, npi)
        path = f"/Group/{group_id}/$remove"
        call = _build_group_call("POST", path, v1.build_group(npi, patient_ids), request_id)
        return self._write_group(call, group_id, npi, lambda group: checks.check_removed(group, patient_ids))

    # Credentials

    def post_key(self, public_pem: str, signature: str, label: str) -> str:
        """Registers a public key and answers its id; `signature` comes from `credentials.sign_snippet`."""
        if not label or len(label) > _LABEL_LIMIT or not label.isascii():
            raise InvalidInput(f"A key's label has 1 to {_LABEL_LIMIT} ASCII characters.")
        body = orjson.dumps({"key": public_pem, "signature": signature})
        call = Call("POST", f"/Key?label={quote(label, safe='')}", body, effect=Effect.WRITE, media="application/json")
        return self._desk.write(call, v1.read_key).key_id

    def list_keys(self) -> list[KeyRecord]:
        """Answers the organisation's public keys."""
        call = Call("GET", "/Key", media="application/json")
        return self._desk.read(call, lambda tree: [v1.read_key(key) for key in v1.read_entities(tree)])

    def delete_key(self, key_id: str) -> None:
        """Withdraws a public key; raises NotFoundAtDpc when there is none of that id."""
        checks.check_ids([key_id])
        self._desk.send(Call("DELETE", f"/Key/{key_id}", effect=Effect.WRITE, media="application/json"))

    def list_tokens(self) -> list[TokenRecord]:
        """Answers the organisation's client tokens, with their ends and without their values."""
        call = Call("GET", "/Token", media="application/json")
        return self._desk.read(call, lambda tree: [v1.read_client_token(token) for token in v1.read_entities(tree)])

    # Inside

    def _read_bundle(self, path: str, kind: str, read_one: Callable[[dict[str, Any]], T]) -> list[T]:
        return self._desk.read(
            Call("GET", path), lambda tree: [read_one(resource) for resource in v1.read_resources(tree, kind)]
        )

    def _read_group(self, tree: dict[str, Any]) -> GroupState:
        group = v1.read_group(tree)
        self._npi_by_group[group.group_id] = group.npi  # never changes during a Group's life (contract-v1 9.4)
        return group

    def _write_group(
        self, call: Call, group_id: str | None, npi: str, check: Callable[[GroupState], None]
    ) -> GroupState:
        def read(tree: dict[str, Any]) -> GroupState:
            group = v1.read_group(tree)
            checks.check_same_group(group, group_id, npi)
            check(group)
            return group

        group = self._desk.write(call, read)
        self._npi_by_group[group.group_id] = group.npi
        return group

    def _remember_practitioners(self, practitioners: Sequence[PractitionerRecord]) -> None:
        self._npi_by_practitioner |= {p.practitioner_id: p.npi for p in practitioners}

    def _check_attestation(self, npi: str, patient_ids: Sequence[str], provenance: str) -> None:
        """DPC compares a Provenance with the NPI of the body only, and that after logging it: we look first."""
        checks.check_npi(npi)
        checks.check_patient_ids(patient_ids)
        practitioner_id = checks.check_provenance(provenance, self._credentials.organization_id)
        if self._npi_by_practitioner.get(practitioner_id, npi) != npi:
            raise AttestationRefused("The Provenance names another practitioner than the Group's.")

    def _check_group(self, group_id: str, npi: str) -> None:
        """Reads the Group when this client has not seen it yet: DPC never compares it with the body's NPI."""
        checks.check_ids([group_id])
        known = self._npi_by_group.get(group_id) or self.read_group(group_id).npi
        if known != npi:
            raise AttestationRefused("The Group belongs to another practitioner.")


def _build_group_call(method: str, path: str, body: bytes, request_id: str, provenance: str | None = None) -> Call:
    return Call(method, path, body, effect=Effect.WRITE, provenance=provenance, request_id=_read_request_id(request_id))


def _read_request_id(request_id: str) -> str:
    if not _REQUEST_ID.fullmatch(request_id):
        raise InvalidInput("A request id has 1 to 64 letters, digits and hyphens.")
    return request_id


def _read_patient_page(tree: dict[str, Any]) -> tuple[list[PatientRecord], bool]:
    patients = [v1.read_patient(resource) for resource in v1.read_resources(tree, "Patient")]
    return patients, v1.has_next_page(tree)
