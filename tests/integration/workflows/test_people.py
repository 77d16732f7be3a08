"""People and machines: who may come in, for how long, and what a scope allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from practice import ADAM, OPERATOR, VERA, Practice
from sqlalchemy import bindparam, text

from service.domain.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from service.domain.people import Action, Role, may
from service.storage.tables.types import UtcDatetime
from service.workflows.people import (
    FREE_TRIES,
    add_client,
    add_person,
    check_password,
    close_session,
    find_person_actor,
    find_session,
    find_token,
    issue_token,
    open_session,
)

PASSWORD = "correct horse battery"
EMAIL = "nora@lakeside.example"


def add(practice: Practice, email: str = EMAIL, roles: tuple[str, ...] = ("reviewer",), **more: Any) -> Any:
    """Add somebody to the practice."""
    wanted = {"name": "Nora", "password": PASSWORD, "actor": OPERATOR, **more}
    return add_person(practice.rt, "lakeside", email=email, roles=roles, **wanted)


def move_back(practice: Practice, statement: str, at: datetime) -> None:
    """Change one time in the database, as if it had been written earlier; logins live by the real clock."""
    with practice.rt.database.begin() as connection:
        connection.execute(text(statement).bindparams(bindparam("at", at, UtcDatetime())))


def test_somebody_is_added_and_logs_in(practice: Practice) -> None:
    added = add(practice)
    person = check_password(practice.rt, "  NORA@lakeside.example ".strip(), PASSWORD)
    assert (person.id, person.memberships) == (added.id, {"lakeside": frozenset({Role.REVIEWER})})


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nora"},
        {"password": "short"},
        {"roles": ("king",)},
        {"roles": ()},
    ],
)
def test_what_cannot_be_an_account_is_refused(practice: Practice, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        add(practice, **wrong)


def test_nobody_is_admin_and_attester_at_once(practice: Practice) -> None:
    with pytest.raises(NotAllowed):
        add(practice, roles=("admin", "attester"))


def test_only_an_admin_adds_people(practice: Practice) -> None:
    add(practice, actor=ADAM)
    with pytest.raises(NotAllowed):
        add(practice, email="otto@lakeside.example", actor=VERA)


def test_an_email_is_taken_once(practice: Practice) -> None:
    add(practice)
    with pytest.raises(Conflict):
        add(practice)


def test_the_password_is_kept_as_a_hash_only(practice: Practice) -> None:
    add(practice)
    with practice.rt.database.read() as connection:
        (kept,) = connection.exec_driver_sql("SELECT password_hash FROM person").fetchone() or ("",)
    assert str(kept).startswith("$argon2id$")


def test_wrong_password_and_unknown_account_are_refused_in_the_same_words(practice: Practice) -> None:
    add(practice)
    texts = set()
    for email in (EMAIL, "nobody@lakeside.example"):
        with pytest.raises(NotAuthenticated) as refused:
            check_password(practice.rt, email, "wrong horse battery")
        texts.add(refused.value.message)
    assert len(texts) == 1


def test_five_failures_lock_even_the_right_password_out_for_a_while(practice: Practice) -> None:
    person = add(practice)
    for _ in range(FREE_TRIES):
        with pytest.raises(NotAuthenticated):
            check_password(practice.rt, EMAIL, "wrong horse battery")
    with pytest.raises(NotAuthenticated):
        check_password(practice.rt, EMAIL, PASSWORD)
    past = datetime.now(UTC) - timedelta(seconds=1)
    move_back(practice, f"UPDATE person SET locked_until = :at WHERE id = '{person.id}'", past)
    assert check_password(practice.rt, EMAIL, PASSWORD).id == person.id


def test_a_login_forgives_the_failures_before_it(practice: Practice) -> None:
    add(practice)
    for _ in range(2):
        for _ in range(FREE_TRIES - 1):
            with pytest.raises(NotAuthenticated):
                check_password(practice.rt, EMAIL, "wrong horse battery")
        check_password(practice.rt, EMAIL, PASSWORD)


def test_a_session_is_found_by_its_secret_until_it_is_closed(practice: Practice) -> None:
    token = open_session(practice.rt, add(practice).id)
    found = find_session(practice.rt, token)
    assert found is not None
    assert found.email == EMAIL
    assert find_session(practice.rt, token + "x") is None
    close_session(practice.rt, token)
    assert find_session(practice.rt, token) is None


@pytest.mark.parametrize(("minutes", "is_there"), [(14, True), (16, False)])
def test_a_session_ends_after_a_quarter_of_an_hour_without_use(
    practice: Practice, minutes: int, is_there: bool
) -> None:
    token = open_session(practice.rt, add(practice).id)
    past = datetime.now(UTC) - timedelta(minutes=minutes)
    move_back(practice, "UPDATE web_session SET seen_at = :at", past)
    assert (find_session(practice.rt, token) is not None) == is_there


def test_a_session_ends_after_eight_hours_however_busy(practice: Practice) -> None:
    token = open_session(practice.rt, add(practice).id)
    move_back(practice, "UPDATE web_session SET expires_at = :at", datetime.now(UTC) - timedelta(seconds=1))
    assert find_session(practice.rt, token) is None


def test_a_machine_exchanges_its_secret_for_a_token(practice: Practice) -> None:
    client = add_client(practice.rt, "lakeside", name="ehr", scopes=["feed:write"], actor=OPERATOR)
    token = issue_token(practice.rt, client.client_id, client.client_secret)
    actor = find_token(practice.rt, token.access_token)
    assert (token.expires_in, token.scope) == (900, "feed:write")
    assert actor is not None
    assert (actor.kind, actor.organization_id, actor.scopes) == ("machine", "lakeside", frozenset({"feed:write"}))


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_a_wrong_secret_gets_no_token(practice: Practice, secret: str) -> None:
    client = add_client(practice.rt, "lakeside", name="ehr", scopes=["feed:write"], actor=OPERATOR)
    for client_id in (client.client_id, "unknown"):
        with pytest.raises(NotAuthenticated):
            issue_token(practice.rt, client_id, secret)


def test_a_token_runs_out(practice: Practice) -> None:
    client = add_client(practice.rt, "lakeside", name="ehr", scopes=["status:read"], actor=OPERATOR)
    token = issue_token(practice.rt, client.client_id, client.client_secret)
    move_back(practice, "UPDATE api_token SET expires_at = :at", datetime.now(UTC) - timedelta(seconds=1))
    assert find_token(practice.rt, token.access_token) is None
    assert find_token(practice.rt, "invented") is None


def test_a_client_runs_out(practice: Practice) -> None:
    client = add_client(practice.rt, "lakeside", name="ehr", scopes=["status:read"], actor=OPERATOR)
    move_back(practice, "UPDATE api_client SET expires_at = :at", datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(NotAuthenticated):
        issue_token(practice.rt, client.client_id, client.client_secret)


ALLOWED = {
    "feed:write": {Action.SEND_DELIVERY},
    "status:read": set(),
    "plans:read": {Action.READ_ROSTERS, Action.DRAW_PLAN, Action.DECIDE_HOLD, Action.APPLY_PLAN},
}


@pytest.mark.parametrize("scope", ["feed:write", "status:read"])
def test_a_scope_allows_its_own_steps_and_no_other(practice: Practice, scope: str) -> None:
    client = add_client(practice.rt, "lakeside", name="m", scopes=[scope], actor=OPERATOR)
    actor = find_token(practice.rt, issue_token(practice.rt, client.client_id, client.client_secret).access_token)
    assert actor is not None
    assert {action for action in Action if may(actor, action, "lakeside")} == ALLOWED[scope]
    assert not any(may(actor, action, "hillside") for action in Action)


def test_no_machine_signs_for_itself(practice: Practice) -> None:
    scopes = ["feed:write", "plans:read", "status:read"]
    client = add_client(practice.rt, "lakeside", name="m", scopes=scopes, actor=OPERATOR)
    actor = find_token(practice.rt, issue_token(practice.rt, client.client_id, client.client_secret).access_token)
    assert actor is not None
    assert not may(actor, Action.SIGN_PLAN, "lakeside")
    with pytest.raises(InvalidInput):
        add_client(practice.rt, "lakeside", name="m", scopes=["plans:sign"], actor=OPERATOR)


def test_a_machine_that_signs_acts_for_its_person(practice: Practice) -> None:
    add(practice, roles=("attester",))
    client = add_client(practice.rt, "lakeside", name="m", scopes=["plans:sign"], person_email=EMAIL, actor=OPERATOR)
    actor = find_token(practice.rt, issue_token(practice.rt, client.client_id, client.client_secret).access_token)
    assert actor is not None
    assert (actor.name, actor.roles) == (EMAIL, frozenset({Role.ATTESTER}))


@pytest.mark.parametrize("scopes", [[], ["everything"], ["feed:write", "root"]])
def test_unknown_scopes_are_refused(practice: Practice, scopes: list[str]) -> None:
    with pytest.raises(InvalidInput):
        add_client(practice.rt, "lakeside", name="m", scopes=scopes, actor=OPERATOR)


def test_somebody_without_a_role_here_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        find_person_actor(practice.rt, "lakeside", "nobody@lakeside.example")
