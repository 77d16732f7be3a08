"""/login, /logout and /organization."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from markupsafe import escape
from sqlalchemy.dialects import sqlite
from web_stage import ADMIN, ATTESTER, OURS, PASSWORD, REVIEWER, THEIRS, Stage, read_csrf

from service.domain.people import Role
from service.storage.database import open_database
from service.storage.people import find_person_by_email, remove_membership
from service.storage.tables.types import UtcDatetime
from service.web.app import close_app, create_app
from service.web.pages.furniture import NOTICE


def test_a_person_logs_in_and_goes_to_the_page_that_was_wanted(stage: Stage) -> None:
    browser = stage.browse()
    sent = browser.get("/plans")
    assert sent.headers["Location"] == "/login?next=/plans"
    form = {"email": REVIEWER, "password": PASSWORD, "next": "/plans"}
    answer = stage.post_form(browser, "/login", "/login", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/plans")
    assert browser.get("/plans").status_code == 200


def test_every_page_carries_the_notice(stage: Stage) -> None:
    browser = stage.log_in(REVIEWER)
    for address in ("/login", "/", "/plans", "/holds", "/deliveries", "/ledger", "/reports", "/nothing-here"):
        assert str(escape(NOTICE)) in (stage.browse() if address == "/login" else browser).get(address).text, address


def test_the_cookie_is_kept_from_scripts_and_other_sites(stage: Stage) -> None:
    browser = stage.browse()
    answer = stage.post_form(browser, "/login", "/login", {"email": REVIEWER, "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("rollcall=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def test_behind_https_the_cookie_is_bound_to_the_host(stage: Stage) -> None:
    runtime = replace(stage.runtime, settings=replace(stage.runtime.settings, secure_cookies=True))
    app = create_app(runtime)
    try:
        answer = app.test_client().get("/login", base_url="https://localhost")
    finally:
        close_app(app)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-rollcall=") and "Secure" in cookie and "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(("email", "password"), [(REVIEWER, "wrong"), ("nobody@nowhere.test", PASSWORD), ("", "")])
def test_who_does_not_know_the_password_learns_nothing(stage: Stage, email: str, password: str) -> None:
    browser = stage.browse()
    answer = stage.post_form(browser, "/login", "/login", {"email": email, "password": password})
    assert answer.status_code == 401
    assert "Email or password is wrong" in answer.text
    assert browser.get("/").status_code == 303


def test_after_five_wrong_tries_the_right_password_has_to_wait(stage: Stage) -> None:
    browser = stage.browse()
    for _ in range(6):
        stage.post_form(browser, "/login", "/login", {"email": REVIEWER, "password": "wrong"})
    answer = stage.post_form(browser, "/login", "/login", {"email": REVIEWER, "password": PASSWORD})
    assert answer.status_code == 401


@pytest.mark.parametrize("wanted", ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", ""])
def test_a_login_leads_to_no_other_site(stage: Stage, wanted: str) -> None:
    form = {"email": REVIEWER, "password": PASSWORD, "next": wanted}
    answer = stage.post_form(stage.browse(), "/login", "/login", form)
    assert answer.headers["Location"] == "/"


def test_a_form_without_its_token_is_refused(stage: Stage) -> None:
    answer = stage.browse().post("/login", data={"email": REVIEWER, "password": PASSWORD})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "header", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.test"}]
)
def test_a_form_sent_by_another_site_is_refused(stage: Stage, header: dict[str, str]) -> None:
    browser = stage.browse()
    form = {"email": REVIEWER, "password": PASSWORD, "csrf_token": read_csrf(browser, "/login")}
    assert browser.post("/login", data=form, headers=header).status_code == 403


def test_logging_out_ends_the_session_here_and_in_the_browser(stage: Stage) -> None:
    browser = stage.log_in(REVIEWER)
    cookie = browser.get_cookie("rollcall")
    assert cookie is not None
    answer = stage.post_form(browser, "/", "/logout", {})
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.get("/").status_code == 303
    thief = stage.browse()
    thief.set_cookie("rollcall", cookie.value)
    assert thief.get("/").status_code == 303


def test_a_login_gives_a_new_session_and_keeps_nothing_of_the_old(stage: Stage) -> None:
    browser = stage.browse()
    browser.get("/login")
    before = browser.get_cookie("rollcall")
    stage.post_form(browser, "/login", "/login", {"email": REVIEWER, "password": PASSWORD})
    after = browser.get_cookie("rollcall")
    assert before is not None and after is not None and before.value != after.value


def test_a_session_that_is_idle_for_fifteen_minutes_is_over(stage: Stage) -> None:
    browser = stage.log_in(REVIEWER)
    assert browser.get("/").status_code == 200
    long_ago = datetime.now(UTC) - timedelta(minutes=15, seconds=1)
    database = open_database(stage.runtime.settings.database_url)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE web_session SET seen_at = ?", (_write(long_ago, stage),))
    database.close()
    assert browser.get("/").status_code == 303


def _write(moment: datetime, stage: Stage) -> str:
    """The moment as the column keeps it."""
    bind = UtcDatetime().bind_processor(sqlite.dialect())
    return str(bind(moment)) if bind else moment.isoformat()


def test_somebody_with_two_practices_switches_between_them(begun: Stage) -> None:
    browser = begun.log_in(ATTESTER)
    assert "<h1>Lakeside Clinic</h1>" in browser.get("/").text
    begun.post_form(browser, "/", "/organization", {"organization": THEIRS})
    page = browser.get("/").text
    assert "<h1>Westside Clinic</h1>" in page and "Dolores Wells" not in page


def test_nobody_switches_to_a_practice_that_is_not_theirs(begun: Stage) -> None:
    browser = begun.log_in(REVIEWER)
    assert begun.post_form(browser, "/", "/organization", {"organization": THEIRS}).status_code == 404
    assert "<h1>Lakeside Clinic</h1>" in browser.get("/").text


def test_a_person_without_a_role_is_told_whom_to_ask(stage: Stage) -> None:
    browser = stage.log_in(ADMIN)
    with stage.runtime.database.begin() as connection:
        person = find_person_by_email(connection, ADMIN)
        assert person is not None
        remove_membership(connection, OURS, person.id, Role.ADMIN)
    page = browser.get("/")
    assert page.status_code == 200 and "You have no role here" in page.text
