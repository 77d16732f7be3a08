"""Why is this patient in this Group: the whole chain from file and row to attestation, outcome and proof."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.domain.attribution import Attribution, judge
from service.domain.change import PlannedPatient
from service.domain.errors import InvalidInput, NotFound
from service.domain.identifiers import mask_mbi
from service.domain.people import Action, Actor, check_may
from service.domain.roster import Claim
from service.runtime import Runtime
from service.storage import deliveries, intents, ledger, panels, patients, plans, practitioners
from service.storage.connection import Connection
from service.storage.intents import Attempt, Intent
from service.storage.panel_codec import read_attributions, read_claims
from service.storage.sealing import OrganizationKeys
from service.workflows.access import note_access
from service.workflows.desired import load_numbers
from service.workflows.sending import read_members

PAGE = 500


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: when, what kind of fact, one sentence, and where it is recorded."""

    at: datetime
    kind: str
    sentence: str
    reference: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One pair with its present standing and its history, oldest first. `mbi` is set only when it was asked for."""

    npi: str
    practitioner: str | None
    masked_mbi: str
    patient_ref: str | None
    status: str
    start_at: datetime | None
    end_at: datetime | None
    links: tuple[Link, ...]
    mbi: str | None = field(default=None, repr=False)


def explain(
    rt: Runtime,
    organization_id: str,
    *,
    npi: str,
    mbi: str | None = None,
    patient_ref: str | None = None,
    actor: Actor,
    unmask: bool = False,
) -> Explanation:
    """Tell the whole history of one pair; who asked is recorded, and separately when the MBI was unmasked.

    The patient is named by MBI or by our own id. Raises NotFound when nothing is known of the pair.
    """
    check_may(actor, Action.READ_ROSTERS, organization_id)
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:  # reading takes long, and nobody else should wait for it
        row = _find_patient(connection, keys, organization_id, mbi, patient_ref)
        pair_mbi = row.identity.mbi
        claims = _find_claims(connection, keys, organization_id, npi, pair_mbi)
        shown = next(iter(panels.load_observed(connection, keys, organization_id, npi)), None)
        attribution = _find_attribution(shown, pair_mbi)
        links = [
            *(link for feed, claim in claims for link in _tell_claim(connection, organization_id, feed, claim)),
            *_tell_attempts(connection, keys, organization_id, npi, pair_mbi),
            *_tell_standing(attribution, shown, rt.now()),
        ]
        is_pair = claims or attribution or any(link.kind == "attestation" for link in links)
        if not is_pair:  # that the patient was registered says nothing about this practitioner
            raise NotFound("Nothing is known of this patient with this practitioner.")
        known = practitioners.find_practitioner(connection, organization_id, npi)
    with rt.database.begin() as connection:
        action = "explain-unmasked" if unmask else "explain"
        note_access(rt, connection, organization_id, actor, action, f"{npi}/{row.id}", 1)
    return Explanation(
        npi,
        _join_name(known),
        mask_mbi(pair_mbi),
        row.id,
        judge(attribution, rt.now()).value if attribution else "not attributed",
        attribution.start_at if attribution else None,
        attribution.end_at if attribution else None,
        tuple(sorted(links, key=lambda link: link.at)),
        pair_mbi if unmask else None,
    )


def _join_name(known: practitioners.Practitioner | None) -> str | None:
    return (" ".join(part for part in (known.given, known.family) if part) if known else "") or None


def _find_patient(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    mbi: str | None,
    patient_ref: str | None,
) -> patients.PatientRow:
    if mbi:
        found = patients.find_patients_by_mbi(connection, keys, organization_id, [mbi.strip().upper().replace("-", "")])
    elif patient_ref:
        found = patients.find_patients_by_id(connection, keys, organization_id, [patient_ref])
    else:
        raise InvalidInput("Name the patient by MBI or by reference.")
    row = next(iter(found.values()), None)
    if row is None:
        raise NotFound("There is no such patient in this organisation.")
    return row


def _find_claims(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str, mbi: str
) -> list[tuple[str, Claim]]:
    """Answer what every feed told of the pair, under whichever number of the patient it was told."""
    numbers = load_numbers(connection, keys, organization_id)
    return [
        (panel.feed, claim)
        for panel in panels.load_claims(connection, keys, organization_id, npi)
        for claim in read_claims(panel.columns)
        if numbers.find_present(claim.mbi) == numbers.find_present(mbi)
    ]


def _tell_claim(connection: Connection, organization_id: str, feed: str, claim: Claim) -> Iterator[Link]:
    delivery = deliveries.find_by_number(connection, organization_id, claim.delivery)
    if delivery is None:
        return
    where = f"row {claim.line}" if claim.line else "by its absence"
    verb = "stopped claiming" if claim.ended else "claims"
    sentence = f"Feed {feed} {verb} the pair: delivery {delivery.number}, {where}, SHA-256 {delivery.sha256[:16]}…"
    yield Link(delivery.received_at, "delivery", sentence, f"delivery {delivery.id}")


def _tell_attempts(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str, mbi: str
) -> Iterator[Link]:
    """Tell every plan, signature and call that concerned the pair; the calls name their ledger entries."""
    seen: set[str] = set()
    for attempt in _read_attempts(connection, organization_id, npi):
        intent = intents.load_intent(connection, organization_id, attempt.intent_id)
        change = read_members(connection, keys, intent)
        patient = next((p for p in change.patients if p.mbi == mbi), None)
        if patient is None:
            continue
        if intent.plan_id not in seen:
            seen.add(intent.plan_id)
            yield from _tell_plan(connection, organization_id, intent.plan_id)
        yield from _tell_attempt(attempt, intent, patient, _find_entry(connection, organization_id, attempt))


def _read_attempts(connection: Connection, organization_id: str, npi: str) -> Iterator[Attempt]:
    """Yield every call that concerned a practitioner's Group, then every registration, a page at a time."""
    which: Mapping[str, Any]
    for which in ({"npi": npi}, {"registering": True}):
        after = None
        while page := intents.find_attempts(connection, organization_id, **which, after=after, limit=PAGE):
            yield from page
            after = (page[-1].sent_at, page[-1].id)


def _find_entry(connection: Connection, organization_id: str, attempt: Attempt) -> int | None:
    """Answer the number of the entry that an attempt was recorded by: it bears the very moment of the sending."""
    found = ledger.find_entries(connection, organization_id, kind="attempt", at=[attempt.sent_at], limit=None)
    return next((e.seq for e in found if json.loads(e.leaf)["body"]["attempt"] == attempt.id), None)


def _tell_plan(connection: Connection, organization_id: str, plan_id: str) -> Iterator[Link]:
    plan = plans.load_plan(connection, organization_id, plan_id)
    sentence = f"Plan {plan.number} was drawn by {plan.drafted_by}, fingerprint {plan.fingerprint[:16]}…"
    yield Link(plan.drafted_at, "plan", sentence, f"plan {plan.id}")
    for sign_off in plans.find_sign_offs(connection, organization_id, plan_id):
        how = "under a standing authorisation" if sign_off.authorisation_id else "in person"
        sentence = f"{sign_off.person} signed it {how}: {sign_off.reason}"
        yield Link(sign_off.signed_at, "sign-off", sentence, f"sign-off {sign_off.id}")


def _tell_attempt(attempt: Attempt, intent: Intent, patient: PlannedPatient, seq: int | None) -> Iterator[Link]:
    spoken = "with an attestation" if attempt.provenance else "without an attestation"
    where = f"row {patient.line}" if patient.line else "the patient's absence"
    evidence = f"on the evidence of delivery {patient.delivery}, {where}"
    sentence = f"Sent to DPC {spoken}: {intent.kind}, attempt {attempt.n}, {evidence}."
    kind = "attestation" if attempt.provenance else "call"
    yield Link(attempt.sent_at, kind, sentence, f"ledger entry {seq}, attempt {attempt.id}")
    if attempt.outcome_at:
        how = {"answer": "by DPC's answer", "read-back": "by reading back"}.get(attempt.settled_by or "", "so far")
        said = f" DPC said: {attempt.answer}" if attempt.answer else ""
        yield Link(attempt.outcome_at, "outcome", f"Known {how}: {attempt.state}.{said}", f"attempt {attempt.id}")


def _find_attribution(shown: panels.ObservedPanel | None, mbi: str) -> Attribution | None:
    attributions = read_attributions(shown.columns) if shown else ()
    return next((a for a in attributions if a.mbi == mbi), None)


def _tell_standing(
    attribution: Attribution | None, shown: panels.ObservedPanel | None, now: datetime
) -> Iterator[Link]:
    """Tell how the attribution stands now, dated by when DPC last showed it."""
    if attribution is None or shown is None:
        return
    ends = f"{attribution.end_at:%Y-%m-%d %H:%M} UTC"
    owner = "attested or adopted here" if attribution.owned else "not attested here"
    status = judge(attribution, now).value
    sentence = f"DPC showed it with period end {ends}, so it is {status} now; {owner}."
    yield Link(shown.read_at, "standing", sentence, "last reading of DPC")
