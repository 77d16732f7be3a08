"""$export of a Group or a patient, and $everything of a patient (contract-v1 8 and 10.1)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select

from service.emulator.answers import build_response, refuse
from service.emulator.clock import to_us
from service.emulator.tables import groups, patients, practitioners
from service.emulator.v1.attributions import load_members
from service.emulator.v1.calls import Call, fhir_route
from service.emulator.v1.exports.batches import ERRORS, collect_batch
from service.emulator.v1.exports.claims import COVERAGE, EXPLANATION, KINDS, PATIENT
from service.emulator.v1.exports.jobs import Wish, start_job
from service.emulator.v1.exports.outcomes import load_outcomes
from service.emulator.v1.exports.wishes import (
    ASYNC,
    FORMATS,
    check_html,
    check_output_format,
    check_prefer,
    read_kinds,
    read_since,
)
from service.emulator.v1.fhir.bodies import build_bundle
from service.emulator.v1.fhir.profiles import build_refusal, check_provenance
from service.emulator.v1.fhir.provenance import load_attested_npi, read_provenance

blueprint = Blueprint("operations", __name__)


@fhir_route(blueprint, "GET", "/Group/<resource_id>/$export", owned="Group")
def export_group(call: Call, resource_id: str) -> Response:
    """202 with a job for the members not flagged inactive, whatever their period says (9.6)."""
    check_html()
    check_output_format(FORMATS[0])
    check_prefer()
    members = load_members(call.connection, resource_id)
    if not members:
        raise refuse(406, "Cannot perform export with no beneficiaries")
    active = [patient_id for patient_id, _, _, inactive in members if not inactive]
    if not active:
        raise refuse(406, "No active attributed patients found for the group")
    kinds, since = read_kinds(), read_since(call)
    return start_job(call, Wish(kinds, since, active, _load_npi(call, resource_id)))


def _load_npi(call: Call, group_id: str) -> str:
    query = (
        select(practitioners.c.npi)
        .join(groups, groups.c.practitioner_id == practitioners.c.id)
        .where(groups.c.id == group_id)
    )
    npi: str = call.connection.execute(query).scalar_one()
    return npi


def _read_attested_npi(call: Call) -> str:
    """The NPI of the practitioner in X-Provenance, after the checks of 9.1 that concern the header alone."""
    provenance = read_provenance()
    check_html()
    messages = check_provenance(provenance)
    if messages:
        raise build_refusal(messages)
    return load_attested_npi(call, provenance)


@fhir_route(blueprint, "GET", "/Patient/<resource_id>/$export", owned="Patient")
def export_patient(call: Call, resource_id: str) -> Response:
    """202 with a job for one patient; the format has no default here."""
    npi = _read_attested_npi(call)
    check_output_format(None)
    check_prefer()
    kinds, since = read_kinds(), read_since(call)
    return start_job(call, Wish(kinds, since, [resource_id], npi))


@fhir_route(blueprint, "GET", "/Patient/<resource_id>/$everything", owned="Patient")
def show_everything(call: Call, resource_id: str) -> Response:
    """200 with a patient's claims, or 202 with a job when `Prefer: respond-async` asks for one."""
    npi = _read_attested_npi(call)
    since = read_since(call)
    if request.headers.get("Prefer") == ASYNC:
        return start_job(call, Wish(KINDS, since, [resource_id], npi))
    row = call.connection.execute(select(patients).where(patients.c.id == resource_id)).mappings().one()
    job: dict[str, Any] = {
        "kinds": KINDS,
        "npi": npi,
        "submitted_us": call.now_us,
        "since_us": None if since is None else to_us(since),
    }
    found = collect_batch(call.state.seed, job, [dict(row)], load_outcomes(call.connection))
    if found[ERRORS]:
        raise refuse(403, found[ERRORS][0]["issue"][0]["details"]["text"])
    resources = [one for kind in (PATIENT, COVERAGE, EXPLANATION) for one in found[kind]]
    return build_response(build_bundle("searchset", resources, total=len(resources)))
