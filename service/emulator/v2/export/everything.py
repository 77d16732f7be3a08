"""`$everything`: one patient's claims at once, without a job that anybody could ask for (contract-v2 9)."""

from __future__ import annotations

from flask import Response, request

from service.emulator.v2.answers import build_answer, build_body, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.export.claims import MBI_SYSTEM, Claimant
from service.emulator.v2.export.collecting import ERRORS, collect
from service.emulator.v2.export.wishes import read_wish


def show_everything(call: Call) -> Response:
    """200 with a searchset, or with the OperationOutcome when there is nothing else.

    The provenance was checked before: everything below /Patient asks for it.
    """
    wish = read_wish(call)
    mbi = _read_mbi()
    call.note_patients(1)
    found = collect(call.connection, [Claimant(call.state.seed, mbi, "R4")], wish.types, call.now, wish.since)
    if list(found) == [ERRORS]:
        return build_answer(build_body(found[ERRORS][0]))
    bundle: dict[str, object] = {"resourceType": "Bundle", "type": "searchset"}
    entries = [{"resource": resource} for resources in found.values() for resource in resources]
    if entries:
        bundle["entry"] = entries
    return build_answer(build_body(bundle))


def _read_mbi() -> str:
    if request.headers.get("identifier-system") != MBI_SYSTEM:
        raise refuse(400, "invalid mbi system identifier in header")
    mbi = request.headers.get("identifier-value", "").strip()
    if not mbi:
        raise refuse(400, "invalid mbi value in header")
    return mbi
