"""Reports: one table of kinds, each a title, columns and rows; the edges turn them into CSV, JSON or pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.domain.attribution import judge
from service.domain.canonical import write_time
from service.domain.capacity import forecast_room, measure_capacity
from service.domain.change import LEFT_OUT_SENTENCES
from service.domain.errors import InvalidInput
from service.domain.expiry import find_bucket, find_lapse_cause
from service.domain.identifiers import mask_mbi
from service.domain.people import Action, Actor, check_may
from service.domain.reconcile import Observed, reconcile
from service.runtime import Runtime
from service.storage import intents, organizations, patients, plans, practitioners
from service.storage.connection import Connection
from service.storage.organizations import Organization
from service.storage.sealing import OrganizationKeys
from service.workflows.access import note_access
from service.workflows.desired import load_desired
from service.workflows.observe import load_groups
from service.workflows.policies import read_policy

Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Report:
    """One table: `rows` are as wide as `columns`; times are RFC 3339, MBIs masked."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    made_at: datetime


@dataclass(frozen=True, slots=True)
class _Source:
    """What every report is made from."""

    connection: Connection
    keys: OrganizationKeys
    organization: Organization
    now: datetime


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    columns: tuple[str, ...]
    read: Callable[[_Source], Iterator[tuple[Cell, ...]]]


def build_report(rt: Runtime, organization_id: str, kind: str, actor: Actor) -> Report:
    """Build one report from the database alone; the look is recorded. Raises InvalidInput for an unknown kind."""
    check_may(actor, Action.READ_ROSTERS, organization_id)
    if kind not in _KINDS:
        raise InvalidInput(f"Reports are: {', '.join(_KINDS)}.")
    chosen = _KINDS[kind]
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:  # reading takes long, and nobody else should wait for it
        organization = organizations.load_organization(connection, organization_id)
        source = _Source(connection, keys, organization, rt.now())
        rows = tuple(chosen.read(source))
    with rt.database.begin() as connection:  # nothing is answered unless the look is on record
        note_access(rt, connection, organization_id, actor, f"report-{kind}", kind, len(rows))
    return Report(kind, chosen.title, chosen.columns, rows, source.now)


def _read_expiring(source: _Source) -> Iterator[tuple[Cell, ...]]:
    """Every attribution that DPC still counts as running, the one that ends first on top, with the cause if any."""
    policy = read_policy(source.organization)
    wanted = {p.npi: p.wanted for p in load_desired(source.connection, source.keys, source.organization.id)}
    found = [
        (a.end_at, npi, a)
        for npi, group in load_groups(source.connection, source.keys, source.organization.id).items()
        for a in group.attributions
        if not a.inactive
    ]
    for end_at, npi, attribution in sorted(found, key=lambda item: (item[0], item[1], item[2].patient_id)):
        claim = wanted.get(npi, {}).get(attribution.mbi or "")
        yield (
            find_bucket(end_at, source.now),
            write_time(end_at),
            npi,
            mask_mbi(attribution.mbi) if attribution.mbi else None,
            judge(attribution, source.now).value,
            "yes" if claim else "no",
            write_time(claim.evidence_at) if claim else None,
            find_lapse_cause(attribution, claim, source.now, policy),
        )


def _read_capacity(source: _Source) -> Iterator[tuple[Cell, ...]]:
    limit = source.organization.patient_limit
    for npi, group in sorted(load_groups(source.connection, source.keys, source.organization.id).items()):
        capacity = measure_capacity(group, source.now, limit)
        room_at = forecast_room(group, source.now, limit)
        yield (
            npi,
            capacity.active,
            capacity.inactive,
            capacity.stored,
            limit,
            capacity.room,
            capacity.percent,
            "yes" if capacity.is_nearly_full else "no",
            write_time(room_at) if room_at else None,
        )


def _read_attempts(source: _Source, *, attested: bool) -> Iterator[tuple[Cell, ...]]:
    after = None
    while page := intents.find_attempts(source.connection, source.organization.id, after=after, limit=500):
        for attempt in page:
            intent = intents.load_intent(source.connection, source.organization.id, attempt.intent_id)
            if bool(attempt.provenance) == attested and (attested or intent.kind == "remove"):
                sign_offs = plans.find_sign_offs(source.connection, source.organization.id, intent.plan_id)
                yield (
                    write_time(attempt.sent_at),
                    intent.kind,
                    attempt.npi,
                    intent.n,
                    attempt.state,
                    attempt.settled_by,
                    ", ".join(s.person for s in sign_offs),
                    intent.plan_id,
                    attempt.id,
                )
        after = (page[-1].sent_at, page[-1].id)


def _read_exceptions(source: _Source) -> Iterator[tuple[Cell, ...]]:
    """Every pair that no change would cover, from the last reading of DPC, with the rule."""
    result = reconcile(
        load_desired(source.connection, source.keys, source.organization.id),
        load_observed(source.connection, source.keys, source.organization.id),
        source.now,
        read_policy(source.organization),
    )
    for item in result.left_out:
        yield item.npi, mask_mbi(item.mbi) if item.mbi else None, item.rule, LEFT_OUT_SENTENCES[item.rule]


def _read_holds(source: _Source) -> Iterator[tuple[Cell, ...]]:
    for hold in plans.find_holds(source.connection, source.organization.id):
        decisions = plans.find_hold_decisions(source.connection, source.organization.id, hold.id)
        yield (
            write_time(hold.opened_at),
            "delivery" if hold.delivery_id else "plan",
            hold.rule,
            hold.level,
            hold.npi,
            hold.n,
            hold.state,
            write_time(hold.costs_from) if hold.costs_from else None,
            hold.reason,
            "; ".join(f"{d.person}: {d.verdict} ({d.reason})" for d in decisions),
        )


def load_observed(connection: Connection, keys: OrganizationKeys, organization_id: str) -> Observed:
    """Answer what DPC held at the last reading, from the database alone."""
    named = practitioners.find_practitioners(connection, organization_id)
    mbis = patients.find_all_dpc_ids(connection, keys, organization_id)
    return Observed(
        groups=load_groups(connection, keys, organization_id),
        patients={mbi: dpc_id for dpc_id, mbi in mbis.items()},
        practitioners={npi: p.dpc_id for npi, p in named.items() if p.dpc_id},
        described_patients=patients.find_described_mbis(connection, keys, organization_id),
        described_practitioners=frozenset(npi for npi, p in named.items() if p.given and p.family),
    )


_ATTEMPT_COLUMNS = (
    "sent_at",
    "kind",
    "practitioner",
    "patients",
    "outcome",
    "known_by",
    "answered_for_by",
    "plan",
    "attempt",
)
_KINDS: Mapping[str, _Kind] = {
    "expiring": _Kind(
        "Attributions by the day they end",
        ("days_left", "ends_at", "practitioner", "mbi", "status", "on_roster", "evidence_at", "cause"),
        _read_expiring,
    ),
    "capacity": _Kind(
        "Room in the Groups",
        ("practitioner", "active", "inactive", "stored", "limit", "room", "percent", "nearly_full", "room_again_at"),
        _read_capacity,
    ),
    "attestations": _Kind(
        "Attestations as they were spoken", _ATTEMPT_COLUMNS, lambda source: _read_attempts(source, attested=True)
    ),
    "removals": _Kind(
        "Removals as they were sent", _ATTEMPT_COLUMNS, lambda source: _read_attempts(source, attested=False)
    ),
    "exceptions": _Kind(
        "Pairs without a change, and why", ("practitioner", "mbi", "rule", "meaning"), _read_exceptions
    ),
    "holds": _Kind(
        "What was held, and what people decided",
        ("opened_at", "of", "rule", "level", "practitioner", "n", "state", "costs_from", "reason", "decisions"),
        _read_holds,
    ),
}
REPORT_KINDS = tuple(_KINDS)
