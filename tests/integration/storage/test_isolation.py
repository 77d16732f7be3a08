"""The same ids in two organisations never mix, and no row points across."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import NotFound, WrongState
from service.storage.database import Database
from service.storage.deliveries import (
    Delivery,
    Finding,
    add_delivery,
    add_findings,
    count_findings_by_code,
    find_by_digest,
    find_by_idempotency_key,
    find_by_sequence,
    find_deliveries,
    find_findings,
    find_last_accepted,
    load_delivery,
    set_delivery_state,
)
from service.storage.errors import RecordRefused
from service.storage.feeds import Feed, add_feed, find_feeds, load_feed
from service.storage.organizations import DpcKey, add_key, find_keys, load_private_key, set_key_registered
from service.storage.patients import PatientIdentity, Telling, count_patients, find_patients_by_mbi, upsert_patients
from service.storage.people import (
    Access,
    ApiClient,
    ApiToken,
    Incident,
    Person,
    add_client,
    add_membership,
    add_person,
    add_token,
    close_incident,
    find_accesses,
    find_clients,
    find_incidents,
    find_members,
    find_token,
    open_incident,
    record_access,
    revoke_client,
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
    find_holds,
    find_plans,
    find_released_fingerprints,
    find_sign_offs,
    load_hold,
    load_plan,
    load_plan_body,
    save_holds,
    save_plan,
    set_plan_state,
)
from service.storage.practitioners import Practitioner, find_practitioners, set_dpc_ids, upsert_practitioners
from service.storage.sealing import OrganizationKeys

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FEED = Feed(id="ehr", mode="snapshot", environment="sandbox", scope="file", created_at=NOW)
DELIVERY = Delivery(
    id="delivery-1",
    feed_id="ehr",
    sha256="a" * 64,
    size=10,
    content_type="text/csv",
    received_at=NOW,
    received_by="client",
    body_path="raw/1",
    sequence="17",
    idempotency_key="key-1",
)
PLAN = Plan(id="plan-1", fingerprint="f", baseline="b", drafted_at=NOW, drafted_by="job", counts={"add": 2})
HOLD = Hold(id="hold-1", plan_id="plan-1", rule="removals", fingerprint="f", reason="many", n=9, opened_at=NOW)


def test_deliveries_and_findings_stay_in_their_organization(database: Database) -> None:
    with database.begin() as connection:
        for organization_id in ("lakeside", "hillside"):
            add_feed(connection, organization_id, FEED)
            assert add_delivery(connection, organization_id, DELIVERY).number == 1
        add_findings(connection, "lakeside", "delivery-1", [Finding(0, "17", "mbi_missing", "error", blind=True)])
        set_delivery_state(connection, "lakeside", "delivery-1", "received", "accepted")
    with database.read() as connection:
        assert load_delivery(connection, "lakeside", "delivery-1").state == "accepted"
        assert load_delivery(connection, "hillside", "delivery-1").state == "received"
        assert count_findings_by_code(connection, "lakeside", "delivery-1") == {"mbi_missing": 1}
        assert find_findings(connection, "hillside", "delivery-1") == []
        assert find_last_accepted(connection, "hillside", "ehr") == []
        assert len(find_deliveries(connection, "hillside")) == 1


def test_nothing_of_one_organization_is_found_by_another(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", FEED)
        add_feed(connection, "hillside", FEED)
        add_delivery(connection, "lakeside", DELIVERY)
        assert len(find_by_digest(connection, "lakeside", "ehr", "a" * 64)) == 1
        assert find_by_digest(connection, "hillside", "ehr", "a" * 64) == []
        assert find_by_sequence(connection, "hillside", "ehr", "17") is None
        assert find_by_idempotency_key(connection, "hillside", "ehr", "key-1") is None
        with pytest.raises(NotFound):
            load_delivery(connection, "hillside", "delivery-1")
        with pytest.raises(WrongState):
            set_delivery_state(connection, "hillside", "delivery-1", "received", "accepted")


def test_a_delivery_cannot_name_the_feed_of_another_organization(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", FEED)
        assert find_feeds(connection, "hillside") == []
        with pytest.raises(NotFound):
            load_feed(connection, "hillside", "ehr")
    with pytest.raises(RecordRefused), database.begin() as connection:
        add_delivery(connection, "hillside", DELIVERY)


def test_findings_decisions_and_sign_offs_cannot_point_across(database: Database, keys: OrganizationKeys) -> None:
    sign_off = SignOff(plan_id="plan-1", fingerprint="f", person="p", reason="r", signed_at=NOW)
    with database.begin() as connection:
        add_feed(connection, "lakeside", FEED)
        add_delivery(connection, "lakeside", DELIVERY)
        save_plan(connection, keys, "lakeside", PLAN, b"body")
        save_holds(connection, "lakeside", [HOLD])
        add_sign_off(connection, "lakeside", sign_off)
        assert find_sign_offs(connection, "hillside", "plan-1") == []
        assert find_holds(connection, "hillside") == []
        with pytest.raises(NotFound):
            load_hold(connection, "hillside", "hold-1")
    with pytest.raises(RecordRefused), database.begin() as connection:
        add_findings(connection, "hillside", "delivery-1", [Finding(0, "1", "x", "error")])
    with pytest.raises(RecordRefused), database.begin() as connection:
        add_sign_off(connection, "hillside", sign_off)
    with pytest.raises(RecordRefused), database.begin() as connection:
        save_holds(connection, "hillside", [HOLD])


def test_plans_and_releases_stay_in_their_organization(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    decision = HoldDecision(
        id="decision-1",
        hold_id="hold-1",
        person="officer",
        verdict="release",
        reason="checked",
        fingerprint="f",
        decided_at=NOW,
        expires_at=NOW + timedelta(hours=72),
    )
    standing = StandingAuthorisation(person="officer", reason="r", from_at=NOW, until_at=NOW + timedelta(days=90))
    with database.begin() as connection:
        save_plan(connection, keys, "lakeside", PLAN, b"lakeside body")
        save_plan(connection, other_keys, "hillside", PLAN, b"hillside body")
        for organization_id in ("lakeside", "hillside"):
            save_holds(connection, organization_id, [HOLD])
        add_hold_decision(connection, "lakeside", decision)
        add_standing_authorisation(connection, "lakeside", standing)
        set_plan_state(connection, "lakeside", "plan-1", "drafted", "signed")
    with database.read() as connection:
        assert load_plan(connection, "hillside", "plan-1").state == "drafted"
        assert load_plan_body(connection, other_keys, "hillside", "plan-1") == b"hillside body"
        assert [plan.state for plan in find_plans(connection, "lakeside")] == ["signed"]
        assert find_released_fingerprints(connection, "lakeside", NOW) == {"f": frozenset({"officer"})}
        assert find_released_fingerprints(connection, "hillside", NOW) == {}
        assert find_active_authorisations(connection, "hillside", NOW) == []


def test_patients_and_practitioners_stay_in_their_organization(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    identity = PatientIdentity("1S00E00AA00")
    with database.begin() as connection:
        upsert_patients(connection, keys, "lakeside", [identity], Telling("ehr", 1, NOW))
        upsert_practitioners(connection, "lakeside", [Practitioner("1234567893")], now=NOW)
        set_dpc_ids(connection, "hillside", {"1234567893": "uuid"})
        assert count_patients(connection, "hillside") == 0
        assert find_patients_by_mbi(connection, other_keys, "hillside", [identity.mbi]) == {}
        assert find_patients_by_mbi(connection, other_keys, "lakeside", [identity.mbi]) == {}
        assert find_practitioners(connection, "hillside") == {}
        assert find_practitioners(connection, "lakeside")["1234567893"].dpc_id is None


def test_keys_clients_looks_and_incidents_stay_in_their_organization(
    database: Database, keys: OrganizationKeys
) -> None:
    client = ApiClient(id="client-1", organization_id="lakeside", name="ehr", scopes="feeder", created_at=NOW)
    token = ApiToken(token_hash="h", client_id="client-1", organization_id="lakeside", scopes="feeder", expires_at=NOW)
    with database.begin() as connection:
        add_key(connection, keys, "lakeside", DpcKey(id="key-1", label="x", public_pem="P", created_at=NOW), b"S")
        add_client(connection, client)
        add_token(connection, token)
        record_access(connection, "lakeside", Access(at=NOW, actor="a", action="unmask", subject="s", rows=1))
        open_incident(connection, "lakeside", Incident(id="incident-1", kind="lapse", cause="hold", opened_at=NOW))
        add_person(connection, Person(id="p", email="a@example.org", name="A", password_hash="h", created_at=NOW))
        add_membership(connection, "lakeside", "p", "reviewer")
        with pytest.raises(NotFound):
            set_key_registered(connection, "hillside", "key-1", "kid")
        with pytest.raises(NotFound):
            load_private_key(connection, keys, "hillside", "key-1")
        with pytest.raises(NotFound):
            revoke_client(connection, "hillside", "client-1", now=NOW)
        with pytest.raises(WrongState):
            close_incident(connection, "hillside", "incident-1", now=NOW)
        assert find_keys(connection, "hillside") == []
        assert find_clients(connection, "hillside") == []
        assert find_accesses(connection, "hillside") == []
        assert find_incidents(connection, "hillside") == []
        assert find_members(connection, "hillside") == []
        assert find_token(connection, "h", NOW - timedelta(minutes=1)) == token
    with pytest.raises(RecordRefused), database.begin() as connection:
        add_token(
            connection,
            ApiToken(token_hash="i", client_id="client-1", organization_id="hillside", scopes="", expires_at=NOW),
        )
