"""Deliveries, practitioners, plans and holds: what is written is what is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import NotFound, WrongState
from service.storage import practitioners
from service.storage.database import Database
from service.storage.deliveries import (
    Delivery,
    Finding,
    add_delivery,
    add_findings,
    count_findings_by_code,
    find_by_idempotency_key,
    find_by_number,
    find_by_sequence,
    find_deliveries,
    find_findings,
    find_last_accepted,
    load_delivery,
    set_delivery_state,
    update_delivery,
)
from service.storage.errors import AlreadyRecorded
from service.storage.feeds import Feed, add_feed
from service.storage.organizations import (
    DpcKey,
    add_key,
    find_keys,
    find_organizations,
    load_organization,
    retire_key,
    set_key_registered,
    update_organization,
)
from service.storage.plans import (
    Hold,
    HoldDecision,
    Plan,
    SignOff,
    StandingAuthorisation,
    add_hold_decision,
    add_sign_off,
    add_standing_authorisation,
    find_active_authorisations,
    find_authorisations,
    find_holds,
    find_plans,
    find_released_fingerprints,
    find_sign_offs,
    load_plan,
    load_plan_body,
    revoke_authorisation,
    save_holds,
    save_plan,
    set_hold_state,
    set_plan_state,
)
from service.storage.practitioners import Practitioner
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DELIVERY = Delivery(
    feed_id="ehr",
    sha256="a" * 64,
    size=10,
    content_type="text/csv",
    received_at=NOW,
    received_by="client",
    body_path="raw/1",
)
PLAN = Plan(fingerprint="f", baseline="b", drafted_at=NOW, drafted_by="job", counts={"add": 2}, scope_npi="1234567893")


@pytest.fixture
def fed(database: Database) -> Database:
    """`lakeside` with two feeds."""
    with database.begin() as connection:
        for feed_id in ("ehr", "weekly"):
            add_feed(
                connection,
                "lakeside",
                Feed(id=feed_id, mode="snapshot", environment="sandbox", scope="file", created_at=NOW),
            )
    return database


def _deliver(**changes: object) -> Delivery:
    return replace(DELIVERY, id=new_id(), **changes)  # type: ignore[arg-type]


def test_an_organization_has_the_defaults_of_the_product(database: Database) -> None:
    with database.begin() as connection:
        found = load_organization(connection, "lakeside")
        assert (found.patient_limit, found.renew_within_days, found.evidence_max_age_days) == (5_000, 15, 35)
        assert (found.approval, found.applies) == ("every-plan", True)
        assert update_organization(connection, "lakeside", applies=False).applies is False
        assert [o.id for o in find_organizations(connection)] == ["hillside", "lakeside"]
        assert load_organization(connection, "hillside").applies is True
        with pytest.raises(NotFound):
            load_organization(connection, "nowhere")


def test_a_retired_key_is_listed_only_when_asked_for(database: Database, keys: OrganizationKeys) -> None:
    key = DpcKey(label="first", public_pem="PUBLIC", created_at=NOW)
    with database.begin() as connection:
        add_key(connection, keys, "lakeside", key, b"PRIVATE")
        set_key_registered(connection, "lakeside", key.id, "kid-1")
        assert find_keys(connection, "lakeside") == [replace(key, kid="kid-1")]
        retire_key(connection, "lakeside", key.id, now=NOW)
        assert find_keys(connection, "lakeside") == []
        assert [found.retired_at for found in find_keys(connection, "lakeside", retired=True)] == [NOW]


def test_deliveries_are_numbered_and_paged_newest_first(fed: Database) -> None:
    with fed.begin() as connection:
        added = [add_delivery(connection, "lakeside", _deliver(received_at=NOW)) for _ in range(4)]
        assert [delivery.number for delivery in added] == [1, 2, 3, 4]
        assert find_deliveries(connection, "lakeside", limit=2) == [added[3], added[2]]
        assert find_deliveries(connection, "lakeside", limit=2, after=3) == [added[1], added[0]]
        assert find_deliveries(connection, "lakeside", feed="weekly") == []
        assert find_by_number(connection, "lakeside", 3) == added[2]


def test_a_sequence_or_idempotency_key_is_used_once_per_feed(fed: Database) -> None:
    with fed.begin() as connection:
        first = add_delivery(connection, "lakeside", _deliver(sequence="17", idempotency_key="k"))
        add_delivery(connection, "lakeside", _deliver(feed_id="weekly", sequence="17", idempotency_key="k"))
        assert find_by_sequence(connection, "lakeside", "ehr", "17") == first
        assert find_by_idempotency_key(connection, "lakeside", "ehr", "k") == first
    for repeated in ({"sequence": "17"}, {"idempotency_key": "k"}):
        with pytest.raises(AlreadyRecorded), fed.begin() as connection:
            add_delivery(connection, "lakeside", _deliver(**repeated))


def test_a_delivery_is_read_decided_and_superseded(fed: Database) -> None:
    with fed.begin() as connection:
        added = add_delivery(connection, "lakeside", _deliver())
        update_delivery(connection, "lakeside", added.id, format="csv", data_rows=12, as_of_at=NOW)
        set_delivery_state(
            connection, "lakeside", added.id, "received", "held", hold_code="row_count_down", costs_from=NOW + DAY
        )
        held = load_delivery(connection, "lakeside", added.id)
        assert (held.state, held.format, held.data_rows, held.hold_code) == ("held", "csv", 12, "row_count_down")
        assert held.costs_from == NOW + DAY
        with pytest.raises(WrongState):
            set_delivery_state(connection, "lakeside", added.id, "held", "superseded")
        with pytest.raises(WrongState):
            set_delivery_state(connection, "lakeside", added.id, "received", "accepted")
        with pytest.raises(TypeError):
            update_delivery(connection, "lakeside", added.id, state="accepted")
        set_delivery_state(connection, "lakeside", added.id, "held", "accepted", decided_by="officer", decided_at=NOW)
        set_delivery_state(connection, "lakeside", added.id, "accepted", "superseded")
        assert [d.id for d in find_last_accepted(connection, "lakeside", "ehr", n=1)] == [added.id]


def test_findings_are_paged_in_file_order_and_counted(fed: Database) -> None:
    found = [Finding(n, str(n + 2), "mbi_missing" if n % 2 else "npi_format", "error", n % 2 == 1) for n in range(5)]
    with fed.begin() as connection:
        added = add_delivery(connection, "lakeside", _deliver())
        assert add_findings(connection, "lakeside", added.id, found) == 5
        assert find_findings(connection, "lakeside", added.id, limit=2) == found[:2]
        assert find_findings(connection, "lakeside", added.id, after_n=1) == found[2:]
        assert count_findings_by_code(connection, "lakeside", added.id) == {"mbi_missing": 2, "npi_format": 3}


def test_a_practitioner_is_completed_and_never_emptied(database: Database) -> None:
    with database.begin() as connection:
        practitioners.upsert_practitioners(connection, "lakeside", [Practitioner("1234567893", "Kim")], now=NOW)
        practitioners.set_dpc_ids(connection, "lakeside", {"1234567893": "uuid"})
        told = [Practitioner("1234567893", None, "Rivera"), Practitioner("1245319599")]
        practitioners.upsert_practitioners(connection, "lakeside", told, now=NOW)
        whole = Practitioner("1234567893", "Kim", "Rivera", "uuid")
        assert practitioners.find_practitioner(connection, "lakeside", "1234567893") == whole
        assert list(practitioners.find_practitioners(connection, "lakeside")) == ["1234567893", "1245319599"]


def test_plans_come_back_with_their_body_and_are_paged(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        saved = [save_plan(connection, keys, "lakeside", replace(PLAN, id=f"p{n}"), b"body %d" % n) for n in range(3)]
        assert [plan.number for plan in saved] == [1, 2, 3]
        assert find_plans(connection, "lakeside", after=3) == [saved[1], saved[0]]
        assert load_plan(connection, "lakeside", "p1") == saved[1]
        assert load_plan_body(connection, keys, "lakeside", "p1") == b"body 1"


def test_a_plan_moves_only_when_exactly_one_row_changes(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        plan = save_plan(connection, keys, "lakeside", PLAN, b"body")
        set_plan_state(connection, "lakeside", plan.id, "drafted", "signed")
        with pytest.raises(WrongState):
            set_plan_state(connection, "lakeside", plan.id, "drafted", "signed")
        with pytest.raises(WrongState):
            set_plan_state(connection, "lakeside", plan.id, "signed", "applied")
        assert load_plan(connection, "lakeside", plan.id).state == "signed"


def test_sign_offs_name_their_person_and_authorisation(database: Database, keys: OrganizationKeys) -> None:
    standing = StandingAuthorisation(
        person="officer", reason="nightly", from_at=NOW, until_at=NOW + 90 * DAY, terms={"npis": ["1234567893"]}
    )
    with database.begin() as connection:
        plan = save_plan(connection, keys, "lakeside", PLAN, b"body")
        add_standing_authorisation(connection, "lakeside", standing)
        sign_off = SignOff(
            plan_id=plan.id,
            fingerprint="f",
            person="officer",
            reason="standing",
            signed_at=NOW,
            authorisation_id=standing.id,
        )
        add_sign_off(connection, "lakeside", sign_off)
        assert find_sign_offs(connection, "lakeside", plan.id) == [sign_off]


def test_a_standing_authorisation_holds_from_its_start_until_its_end_or_revocation(database: Database) -> None:
    standing = StandingAuthorisation(person="officer", reason="nightly", from_at=NOW, until_at=NOW + 90 * DAY)
    with database.begin() as connection:
        add_standing_authorisation(connection, "lakeside", standing)
        assert find_active_authorisations(connection, "lakeside", NOW) == [standing]
        assert find_active_authorisations(connection, "lakeside", NOW - DAY) == []
        assert find_active_authorisations(connection, "lakeside", NOW + 90 * DAY) == []
        revoke_authorisation(connection, "lakeside", standing.id, person="other", now=NOW + DAY)
        assert find_active_authorisations(connection, "lakeside", NOW + DAY) == []
        assert find_authorisations(connection, "lakeside")[0].revoked_by == "other"
        with pytest.raises(WrongState):
            revoke_authorisation(connection, "lakeside", standing.id, person="other", now=NOW + DAY)


def test_a_fingerprint_is_released_by_those_whose_word_still_holds_and_by_nobody_once_refused(
    database: Database, keys: OrganizationKeys
) -> None:
    with database.begin() as connection:
        plan = save_plan(connection, keys, "lakeside", PLAN, b"body")
        hold = Hold(
            plan_id=plan.id, rule="removals", level="hard-stop", fingerprint="g", reason="r", n=9, opened_at=NOW
        )
        assert save_holds(connection, "lakeside", [hold]) == 1
        said = HoldDecision(
            hold_id=hold.id,
            person="one",
            verdict="release",
            reason="checked",
            fingerprint="g",
            decided_at=NOW,
            expires_at=NOW + 3 * DAY,
        )
        add_hold_decision(connection, "lakeside", said)
        add_hold_decision(connection, "lakeside", replace(said, id="d2", person="two", expires_at=NOW + DAY))
        assert find_released_fingerprints(connection, "lakeside", NOW) == {"g": {"one", "two"}}
        assert find_released_fingerprints(connection, "lakeside", NOW + DAY) == {"g": {"one"}}
        assert find_released_fingerprints(connection, "lakeside", NOW + 3 * DAY) == {}
        add_hold_decision(connection, "lakeside", replace(said, id="d3", person="three", verdict="refuse"))
        assert find_released_fingerprints(connection, "lakeside", NOW) == {}


def test_a_hold_is_found_by_state_and_plan_and_moves_once(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        plan = save_plan(connection, keys, "lakeside", PLAN, b"body")
        hold = Hold(plan_id=plan.id, rule="removals", fingerprint="g", reason="r", n=9, opened_at=NOW, costs_from=NOW)
        save_holds(connection, "lakeside", [hold])
        assert find_holds(connection, "lakeside", state="open", plan_id=plan.id) == [hold]
        set_hold_state(connection, "lakeside", hold.id, "open", "released")
        assert find_holds(connection, "lakeside", state="open") == []
        with pytest.raises(WrongState):
            set_hold_state(connection, "lakeside", hold.id, "open", "released")
