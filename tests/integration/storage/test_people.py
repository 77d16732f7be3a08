"""People, sessions, clients and incidents: what is written is what is read, until it is over or revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import WrongState
from service.storage.database import Database
from service.storage.errors import AlreadyRecorded
from service.storage.people import (
    ApiClient,
    ApiToken,
    Incident,
    Person,
    WebSession,
    add_client,
    add_membership,
    add_person,
    add_session,
    add_token,
    close_incident,
    find_client,
    find_incidents,
    find_members,
    find_memberships,
    find_person_by_email,
    find_session,
    find_token,
    load_person,
    open_incident,
    remove_expired_sessions,
    remove_expired_tokens,
    remove_membership,
    revoke_all_sessions,
    revoke_client,
    revoke_session,
    set_login_failures,
    touch_session,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_person_is_found_by_email_in_any_case_and_has_roles(database: Database) -> None:
    person = Person(email="Ann@Example.org", name="Ann", password_hash="hash", created_at=NOW)
    with database.begin() as connection:
        add_person(connection, person)
        found = find_person_by_email(connection, " ANN@example.ORG ")
        assert found is not None
        assert found.id == person.id
        add_membership(connection, "lakeside", person.id, "attester")
        add_membership(connection, "lakeside", person.id, "attester")
        add_membership(connection, "hillside", person.id, "reviewer")
        roles = {(m.organization_id, m.role) for m in find_memberships(connection, person.id)}
        assert roles == {("lakeside", "attester"), ("hillside", "reviewer")}
        assert [(p.id, role) for p, role in find_members(connection, "lakeside")] == [(person.id, "attester")]
        assert remove_membership(connection, "lakeside", person.id, "attester")
        assert not remove_membership(connection, "lakeside", person.id, "attester")
        set_login_failures(connection, person.id, 5, NOW + DAY)
        assert load_person(connection, person.id).locked_until == NOW + DAY
        assert "hash" not in repr(person).replace("password_hash", "")
    with pytest.raises(AlreadyRecorded), database.begin() as connection:
        add_person(connection, replace(person, id="other", email="ann@example.org"))


def test_a_session_lives_until_it_is_over_or_ended(database: Database) -> None:
    person = Person(email="ann@example.org", name="Ann", password_hash="hash", created_at=NOW)
    session = WebSession(id_hash="h1", person_id=person.id, created_at=NOW, seen_at=NOW, expires_at=NOW + DAY)
    with database.begin() as connection:
        add_person(connection, person)
        for id_hash in ("h1", "h2", "h3"):
            add_session(connection, replace(session, id_hash=id_hash))
        touch_session(connection, "h1", now=NOW + DAY / 2, organization_id="lakeside")
        found = find_session(connection, "h1", NOW)
        assert found is not None
        assert (found.seen_at, found.organization_id) == (NOW + DAY / 2, "lakeside")
        assert find_session(connection, "h1", NOW + DAY) is None
        revoke_session(connection, "h1")
        assert find_session(connection, "h1", NOW) is None
        assert remove_expired_sessions(connection, NOW) == 0
        assert revoke_all_sessions(connection, person.id) == 2


def test_a_client_that_is_revoked_loses_its_tokens(database: Database) -> None:
    client = ApiClient(organization_id="lakeside", name="ehr", scopes="feeder", created_at=NOW, secret_hash="s")
    token = ApiToken(
        token_hash="t", client_id=client.id, organization_id="lakeside", scopes="feeder", expires_at=NOW + DAY
    )
    with database.begin() as connection:
        add_client(connection, client)
        add_token(connection, token)
        assert find_client(connection, client.id) == client
        assert find_token(connection, "t", NOW) == token
        assert find_token(connection, "t", NOW + DAY) is None
        assert remove_expired_tokens(connection, NOW) == 0
        revoke_client(connection, "lakeside", client.id, now=NOW)
        assert find_token(connection, "t", NOW) is None
        assert find_client(connection, client.id) == replace(client, revoked_at=NOW)


def test_an_incident_is_closed_once(database: Database) -> None:
    incident = Incident(kind="lapse", npi="1234567893", cause="hold", opened_at=NOW)
    with database.begin() as connection:
        open_incident(connection, "lakeside", incident)
        assert find_incidents(connection, "lakeside", only_open=True) == [incident]
        close_incident(connection, "lakeside", incident.id, now=NOW)
        assert find_incidents(connection, "lakeside", only_open=True) == []
        assert find_incidents(connection, "lakeside", kind="lapse") == [replace(incident, closed_at=NOW)]
        with pytest.raises(WrongState):
            close_incident(connection, "lakeside", incident.id, now=NOW)
