"""Deliveries over HTTP: post a file, follow it, read what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request, url_for
from werkzeug.exceptions import ServiceUnavailable

from schemas.api.base import PageQuery, TableQuery
from schemas.api.deliveries import (
    DeliveriesQuery,
    DeliveryDecisionWish,
    DeliveryPage,
    DeliverySchema,
    DeparturePage,
    EffectPage,
    FindingPage,
)
from schemas.api.plans import HoldSchema
from service.domain.people import Actor
from service.runtime import Runtime
from service.web.access import (
    FEED_WRITE,
    PLANS_READ,
    PLANS_SIGN,
    STATUS_READ,
    for_machines,
    load_actor,
    load_organization_id,
)
from service.web.api.digests import read_patience, read_upload
from service.web.api.paging import Page, cut_page, read_npi_cursor, read_number_cursor
from service.web.api.section import CSV_DOC, Route, Section
from service.web.deferred import may_receive, submit_digest, wait_for_reading
from service.web.errors import answer_problem
from service.web.exports import Cell, build_csv_answer, build_json_answer, wants_csv
from service.web.places import find_arrivals, find_pool, find_runtime
from service.web.problems import RETRY_SECONDS, Problem, describe_rejected, describe_repeated, describe_status
from service.web.security import UPLOAD_LIMIT
from service.web.worker import expect_file
from service.workflows.deliveries import (
    DeliveryView,
    FindingView,
    count_findings,
    find_deliveries,
    find_findings,
    load_delivery,
)
from service.workflows.effects import EffectView, count_effects, find_departures, find_effects
from service.workflows.holds import decide_delivery
from service.workflows.receive import receive

section = Section("deliveries", "Post roster files and read what became of them.")

DEPARTURE_COLUMNS = ("npi", "masked_mbi", "at_once", "listed_elsewhere")
FINDING_COLUMNS = ("n", "position", "code", "severity", "is_blind", "sentence", "protects_patient")
REPEATS = "sequence_repeats"
_BATCH = 500
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_FORM_SENTENCE = "A form is not accepted here: the body of the request is the file itself, and nothing around it."
_FORM_ACTION = "Send the file itself as the body; with curl: --data-binary @FILE -H 'Content-Type: text/csv'."
_HEADERS = {
    "X-Roster-Mode": "delta: this file of a snapshot feed lists changes only. snapshot changes nothing, as a feed of "
    "changes stays one.",
    "Content-Disposition": "The name of the file (RFC 6266), which is not kept: with turnover, changes or delta in it "
    "nobody whom the file leaves out is let go before a person has decided.",
    "X-Roster-As-Of": "The moment the roster describes, RFC 3339 with zone.",
    "X-Roster-Count": "How many rows the file has; compared with what arrives, so that a cut file is noticed.",
    "X-Roster-Sequence": "The sender's own number; used twice for different bytes it is refused, as is one in which a "
    "patient's number stands.",
    "X-Roster-Again": "true: take in bytes that a person has refused before, or whose removals; they are judged "
    "anew, and what was refused whole waits for a person once more.",
    "Prefer": "wait=N: how many seconds the answer may wait for the reading, 5 unless told, 30 at most; respond-async: "
    "not at all (RFC 7240).",
    "Idempotency-Key": "Sent again with the same bytes, the first receipt comes back.",
    "Content-Digest": "sha-256=:BASE64: (RFC 9530); checked against the bytes. Digest works too.",
}
_UPLOAD_DOC = {
    "responses": {
        200: {
            "description": "The same bytes came before; this is their first receipt.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Delivery"}}},
        }
    },
    "requestBody": {
        "required": True,
        "description": "The file itself, at most 64 MiB.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.items()
    ],
}


@section.route(
    Route(
        "/feeds/<feed>/deliveries",
        DeliverySchema,
        method="POST",
        status=202,
        errors=(404, 408, 409, 413, 415, 422, 503),
        more=_UPLOAD_DOC,
    ),
    for_machines(FEED_WRITE),
)
def post_delivery(feed: str) -> Any:
    """Post a roster file.

    202 with Location for a new file; 200 with the first receipt when the same bytes came before. The answer waits a few
    seconds for the reading: a file that cannot be used is refused with 422, which says what to send instead, and one
    with the number of another file with 409. While the state is still received, follow Location.
    """
    runtime, organization_id = find_runtime(), load_organization_id()
    if request.mimetype in _FORMS:
        return answer_problem(describe_status(415, detail=_FORM_SENTENCE, next_action=_FORM_ACTION))
    with find_arrivals().count_in(organization_id) as others:
        if not may_receive(runtime, organization_id, others):
            raise ServiceUnavailable(retry_after=RETRY_SECONDS)
        request.max_content_length = UPLOAD_LIMIT
        expect_file(request.environ)
        receipt = receive(runtime, organization_id, feed, request.stream, read_upload(request.headers), load_actor())
    delivery = receipt.delivery
    if delivery.state == "received":
        submit_digest(find_pool(), runtime, organization_id)
        seconds = read_patience(request.headers)
        delivery = wait_for_reading(find_pool(), runtime, organization_id, delivery.id, seconds)
    headers = {"Location": url_for("deliveries.get_delivery", delivery=delivery.id)}
    problem = _find_problem(delivery)
    if problem is not None:
        refusal = answer_problem(problem)
        refusal.headers.update(headers)
        return refusal
    return delivery, 202 if receipt.is_new else 200, headers


def _find_problem(delivery: DeliveryView) -> Problem | None:
    """Answer why a file that has been read cannot be used, by its content, its date or its number; None if it can."""
    if delivery.state == "rejected" and (delivery.file_error or delivery.decided_by is None):
        return describe_rejected(delivery)
    if delivery.state == "held" and delivery.hold_code == REPEATS:
        return describe_repeated(delivery)
    return None


@section.route(
    Route("/deliveries", DeliveryPage, query=DeliveriesQuery, errors=(422,)), for_machines(STATUS_READ, FEED_WRITE)
)
def list_deliveries(query: dict[str, Any]) -> Any:
    """List deliveries, newest first; with waiting=true those about which a person must decide.

    That is more than state=held: an accepted file waits too while its removals are suspended.
    """
    found = find_deliveries(
        find_runtime(),
        load_organization_id(),
        feed_id=query["feed"],
        state=query["state"],
        waiting=query["waiting"],
        after=read_number_cursor(query["cursor"]),
        limit=query["limit"] + 1,
    )
    page: Page[DeliveryView] = cut_page(found, query["limit"], lambda delivery: delivery.number)
    return page, page.headers


@section.route(Route("/deliveries/<delivery>", DeliverySchema, errors=(404,)), for_machines(STATUS_READ, FEED_WRITE))
def get_delivery(delivery: str) -> Any:
    """Read the state and counts of one delivery, and why it is held if it is."""
    return load_delivery(find_runtime(), load_organization_id(), delivery)


@section.route(
    Route("/deliveries/<delivery>/findings", FindingPage, query=TableQuery, errors=(404, 422), more=CSV_DOC),
    for_machines(STATUS_READ, FEED_WRITE),
)
def list_findings(query: dict[str, Any], delivery: str) -> Any:
    """Read what is wrong with the rows of one delivery, by position and code; as JSON, or all of it as CSV.

    The counts say how many findings of each code there are in all; the JSON that the delivery's page offers to keep has
    the same counts first, and then every finding under items.
    """
    runtime, organization_id = find_runtime(), load_organization_id()
    if wants_csv(query["format"]):
        return build_findings_csv(runtime, organization_id, delivery)
    after = read_number_cursor(query["cursor"])
    found = find_findings(
        runtime, organization_id, delivery, after=-1 if after is None else after, limit=query["limit"] + 1
    )
    page: Page[FindingView] = cut_page(found, query["limit"], lambda finding: finding.n)
    counts = count_findings(runtime, organization_id, delivery)
    return {"counts": counts, "items": page.items, "next": page.next}, page.headers


@section.route(
    Route("/deliveries/<delivery>/effects", EffectPage, query=PageQuery, errors=(404, 422)),
    for_machines(STATUS_READ, FEED_WRITE),
)
def list_effects(query: dict[str, Any], delivery: str) -> Any:
    """Read what one delivery changes, or would change if a person let it, by practitioner and in numbers."""
    runtime, organization_id = find_runtime(), load_organization_id()
    after, limit = read_npi_cursor(query["cursor"]), query["limit"]
    found = find_effects(runtime, organization_id, delivery, after=after, limit=limit + 1)
    page: Page[EffectView] = cut_page(found, limit, lambda effect: effect.npi)
    total = count_effects(runtime, organization_id, delivery)
    return {"total": total, "items": page.items, "next": page.next}, page.headers


@section.route(
    Route("/deliveries/<delivery>/departures", DeparturePage, query=TableQuery, errors=(404, 409, 422), more=CSV_DOC),
    for_machines(PLANS_READ),
)
def list_departures(query: dict[str, Any], delivery: str) -> Any:
    """Read whom a waiting delivery would let go, MBIs masked; as JSON, or all of them as CSV. The look is recorded."""
    runtime, organization_id = find_runtime(), load_organization_id()
    if wants_csv(query["format"]):
        return build_departures_csv(runtime, organization_id, delivery, load_actor())
    start = max(0, read_number_cursor(query["cursor"]) or 0)
    found = find_departures(runtime, organization_id, delivery, load_actor(), start=start, limit=query["limit"])
    page = Page(found.items, None if found.next_start is None else str(found.next_start))
    return {"hold": found.hold_id, "total": found.total, "items": page.items, "next": page.next}, page.headers


@section.route(
    Route(
        "/deliveries/<delivery>/decisions",
        HoldSchema,
        method="POST",
        status=201,
        body=DeliveryDecisionWish,
        errors=(404, 409, 422),
    ),
    for_machines(PLANS_SIGN),
)
def post_delivery_decision(wish: dict[str, Any], delivery: str) -> Any:
    """Accept or reject a held delivery, or whom an accepted one would let go; a hard stop needs two people."""
    load_delivery(find_runtime(), load_organization_id(), delivery)
    return decide_delivery(
        find_runtime(), load_organization_id(), delivery, wish["verdict"], wish["reason"], load_actor(), wish["hold"]
    )


def build_departures_csv(runtime: Runtime, organization_id: str, delivery_id: str, actor: Actor) -> Response:
    """Answer whom a waiting delivery would let go as a download; raises NotFound, WrongState."""
    delivery = load_delivery(runtime, organization_id, delivery_id)
    found = find_departures(runtime, organization_id, delivery_id, actor)
    rows = ((d.npi, d.masked_mbi, d.at_once, d.listed_elsewhere) for d in found.items)
    return build_csv_answer(f"departures-{delivery.number}", DEPARTURE_COLUMNS, rows)


def build_findings_csv(runtime: Runtime, organization_id: str, delivery_id: str) -> Response:
    """Answer every finding of a delivery as a download, read in batches; raises NotFound."""
    delivery = load_delivery(runtime, organization_id, delivery_id)
    rows = _walk_findings(runtime, organization_id, delivery_id)
    return build_csv_answer(f"findings-{delivery.number}", FINDING_COLUMNS, rows)


def build_findings_json(runtime: Runtime, organization_id: str, delivery_id: str) -> Response:
    """Answer every finding of a delivery as one JSON document to keep, read in batches; raises NotFound.

    As in a page of the API, `counts` come first, how many there are of each code, and then the findings as `items`.
    """
    delivery = load_delivery(runtime, organization_id, delivery_id)
    rows = _walk_findings(runtime, organization_id, delivery_id)
    counts = count_findings(runtime, organization_id, delivery_id)
    return build_json_answer(f"findings-{delivery.number}", {"counts": counts}, FINDING_COLUMNS, rows)


def _walk_findings(runtime: Runtime, organization_id: str, delivery_id: str) -> Iterator[tuple[Cell, ...]]:
    after = -1
    while batch := find_findings(runtime, organization_id, delivery_id, after=after, limit=_BATCH):
        for f in batch:
            yield f.n, f.position, f.code, f.severity, f.is_blind, f.sentence, f.protects_patient
        after = batch[-1].n
