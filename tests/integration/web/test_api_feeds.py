"""GET and POST /api/v1/feeds, GET and PATCH /api/v1/feeds/{feed}."""

from __future__ import annotations

from typing import Any

import pytest
from web_stage import ADMIN, ATTESTER, FEED, OURS, PASSWORD, THEIRS, WELLS, Stage, check_problem, write_practitioners

from service.domain.errors import InvalidInput
from service.domain.feeds import SETTING_NAMES
from service.domain.people import Actor
from service.storage.people import find_person_by_email, remove_membership
from service.workflows.feeds import add_feed, find_feeds, load_feed
from service.workflows.people import add_client, add_person, issue_token
from service.workflows.prove import find_ledger_entries

ADDRESS = f"/api/v1/feeds/{FEED}"
DEFAULTS: dict[str, Any] = {
    "column_mapping": {},
    "header_hash": None,
    "encoding": None,
    "practitioners": [],
    "expected_every_hours": None,
    "expects_count": False,
    "shares_patients": False,
    "min_rows": 0,
    "rows_down_percent": 10,
    "rows_up_percent": 25,
    "rejected_percent": 1,
    "max_removals": None,
    "max_removal_percent": None,
}
EVERYTHING = DEFAULTS | {
    "column_mapping": {"mbi": "Mitgliedsnummer Ä", "npi": "Doctor"},
    "header_hash": "0" * 64,
    "encoding": "windows-1252",
    "practitioners": ["3990000002", "3990000010"],
    "expected_every_hours": 24,
    "expects_count": True,
    "shares_patients": True,
    "min_rows": 10,
    "max_removals": 25,
}


def bear_admin(
    stage: Stage, organization_id: str = OURS, email: str = ADMIN, scopes: tuple[str, ...] = ("setup:write",)
) -> dict[str, str]:
    """The header of a machine that sets up in the name of an admin."""
    made = add_client(
        stage.runtime,
        organization_id,
        name="setter",
        scopes=scopes,
        person_email=email,
        actor=Actor.operator(),
    )
    token = issue_token(stage.runtime, made.client_id, made.client_secret)
    return {"Authorization": f"Bearer {token.access_token}"}


def read_facts(stage: Stage, kind: str) -> list[tuple[str, Any]]:
    """Who did what, for the ledger's facts of one kind."""
    entries = find_ledger_entries(stage.runtime, OURS)
    return [(entry.actor, entry.body) for entry in entries if entry.kind == kind]


# It works


@pytest.mark.parametrize("client", ["feeder", "monitor", "reader", "signer"])
def test_any_token_reads_a_feed_with_every_setting_spelled_out(stage: Stage, client: str) -> None:
    answer = stage.browse().get(ADDRESS, headers=stage.bearer(client))
    assert answer.status_code == 200
    assert answer.json == {
        "id": FEED,
        "mode": "snapshot",
        "scope": "providers_in_file",
        "absences_before_removal": 1,
        "environment": "sandbox",
        "created_at": "2026-11-20T14:00:00Z",
        "settings": DEFAULTS,
        "last_delivery": None,
        "open_holds": 0,
        "due_at": None,
        "is_overdue": False,
    }


def test_feeds_are_listed_by_id_in_pages(stage: Stage) -> None:
    for feed_id in ("weekly", "a-desk"):
        add_feed(stage.runtime, OURS, feed_id=feed_id, actor=Actor.operator())
    headers = stage.bearer("monitor")
    first = stage.browse().get("/api/v1/feeds?limit=2", headers=headers)
    assert first.json is not None
    assert [one["id"] for one in first.json["items"]] == ["a-desk", FEED]
    link = first.headers["Link"]
    second = stage.browse().get(link[1 : link.index(">")], headers=headers)
    assert second.json is not None
    assert [one["id"] for one in second.json["items"]] == ["weekly"]
    assert second.json["next"] is None and "Link" not in second.headers


def test_a_feed_that_sends_says_so_and_one_that_does_not_is_overdue(stage: Stage) -> None:
    headers = bear_admin(stage)
    set_up = {"settings": {"expected_every_hours": 24}}
    answer = stage.browse().patch(ADDRESS, json=set_up, headers=headers)
    assert answer.json is not None and answer.json["due_at"] == "2026-11-21T14:00:00Z"
    stage.advance(1.1)
    assert stage.browse().get(ADDRESS, headers=headers).json["is_overdue"] is True  # type: ignore[index]
    stage.send(write_practitioners())
    view = stage.browse().get(ADDRESS, headers=headers).json
    assert view is not None and view["is_overdue"] is False
    assert (view["last_delivery"]["number"], view["last_delivery"]["state"]) == (1, "accepted")


def test_an_admin_s_client_adds_a_feed_with_all_settings(stage: Stage) -> None:
    headers = bear_admin(stage)
    wish = {"id": "desk", "mode": "snapshot", "absences_before_removal": 3, "settings": EVERYTHING}
    answer = stage.browse().post("/api/v1/feeds", json=wish, headers=headers)
    assert answer.status_code == 201 and answer.json is not None
    assert answer.headers["Location"] == "/api/v1/feeds/desk"
    assert answer.json["settings"] == EVERYTHING and answer.json["scope"] == "providers_in_file"
    assert stage.browse().get("/api/v1/feeds/desk", headers=headers).json == answer.json
    who, body = read_facts(stage, "feed-added")[-1]
    assert (who, body["feed"], body["settings"]["min_rows"]) == (ADMIN, "desk", 10)


def test_a_change_touches_what_it_names_and_null_is_the_default(stage: Stage) -> None:
    headers = bear_admin(stage)
    stage.browse().patch(ADDRESS, json={"settings": EVERYTHING}, headers=headers)
    change = {"absences_before_removal": 4, "settings": {"encoding": None, "min_rows": None, "max_removals": 30}}
    answer = stage.browse().patch(ADDRESS, json=change, headers=headers)
    assert answer.status_code == 200 and answer.json is not None
    assert answer.json["settings"] == EVERYTHING | {"encoding": None, "min_rows": 0, "max_removals": 30}
    assert read_facts(stage, "feed-changed")[-1] == (
        ADMIN,
        {
            "feed": FEED,
            "changes": {
                "absences_before_removal": {"old": 1, "new": 4},
                "encoding": {"old": "windows-1252", "new": None},
                "min_rows": {"old": 10, "new": 0},
                "max_removals": {"old": 25, "new": 30},
            },
        },
    )


def test_a_feed_has_its_organisation_s_environment_whether_it_is_named_or_not(stage: Stage) -> None:
    headers = bear_admin(stage)
    named = stage.browse().post("/api/v1/feeds", json={"id": "desk", "environment": "sandbox"}, headers=headers)
    assert named.status_code == 201 and named.json is not None
    assert named.json["environment"] == "sandbox"
    same = stage.browse().patch("/api/v1/feeds/desk", json={"environment": "sandbox"}, headers=headers)
    assert same.json == named.json and not read_facts(stage, "feed-changed")
    for answer in (
        stage.browse().post("/api/v1/feeds", json={"id": "other", "environment": "production"}, headers=headers),
        stage.browse().patch("/api/v1/feeds/desk", json={"environment": "production"}, headers=headers),
    ):
        check_problem(answer, 422, "invalid_input")
        assert "that of its organisation, sandbox" in answer.text
    assert {feed.id: feed.environment for feed in find_feeds(stage.runtime, OURS)} == {
        FEED: "sandbox",
        "desk": "sandbox",
    }


# Without login


@pytest.mark.parametrize(("method", "address"), [("GET", "/api/v1/feeds"), ("GET", ADDRESS), ("POST", "/api/v1/feeds")])
def test_without_a_token_there_is_nothing(stage: Stage, method: str, address: str) -> None:
    check_problem(stage.browse().open(address, method=method, json={}), 401, "not_authenticated")
    check_problem(stage.browse().patch(ADDRESS, json={"mode": "delta"}), 401, "not_authenticated")


@pytest.mark.parametrize("client", ["feeder", "monitor", "reader", "signer"])
def test_a_machine_that_only_feeds_or_reads_or_signs_sets_nothing_up(stage: Stage, client: str) -> None:
    headers, before = stage.bearer(client), find_feeds(stage.runtime, OURS)
    added = stage.browse().post("/api/v1/feeds", json={"id": "desk"}, headers=headers)
    check_problem(added, 403, "not_allowed")
    check_problem(stage.browse().patch(ADDRESS, json={"mode": "delta"}, headers=headers), 403, "not_allowed")
    assert find_feeds(stage.runtime, OURS) == before


def test_only_an_admin_lends_a_machine_the_right_to_set_up(stage: Stage) -> None:
    for email in (None, ATTESTER):
        with pytest.raises(InvalidInput):
            add_client(
                stage.runtime, OURS, name="x", scopes=("setup:write",), person_email=email, actor=Actor.operator()
            )


def test_a_machine_loses_the_right_with_its_admin(stage: Stage) -> None:
    headers = bear_admin(stage)
    with stage.runtime.database.begin() as connection:
        person = find_person_by_email(connection, ADMIN)
        assert person is not None
        remove_membership(connection, OURS, person.id, "admin")
    check_problem(stage.browse().patch(ADDRESS, json={"mode": "delta"}, headers=headers), 403, "not_allowed")
    assert load_feed(stage.runtime, OURS, FEED).mode == "snapshot"


def test_setting_up_does_not_open_what_signing_or_reading_opens(stage: Stage) -> None:
    headers = bear_admin(stage)
    check_problem(stage.browse().get("/api/v1/plans", headers=headers), 403, "not_allowed")
    answer = stage.browse().post(f"{ADDRESS}/deliveries", data=b"MBI,NPI\n", headers=headers)
    check_problem(answer, 403, "not_allowed")


def test_a_machine_that_sets_up_and_feeds_does_both(stage: Stage) -> None:
    headers = bear_admin(stage, scopes=("setup:write", "feed:write"))
    assert stage.browse().patch(ADDRESS, json={"mode": "delta"}, headers=headers).status_code == 200
    sent = stage.browse().post(f"{ADDRESS}/deliveries", data=write_practitioners(), headers=headers)
    assert sent.status_code == 202
    stage.settle()


# Wrong input


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Nothing to change"),
        ({"colour": "blue"}, "colour"),
        ({"environment": "production"}, "environment"),
        ({"mode": "whole"}, "mode"),
        ({"absences_before_removal": 0}, "from 1 to 10"),
        ({"absences_before_removal": "2"}, "absences_before_removal"),
        ({"settings": {"force": True}}, "force"),
        ({"settings": {"min_rows": 1.5}}, "min_rows"),
        ({"settings": {"min_rows": True}}, "min_rows"),
        ({"settings": {"rows_down_percent": 31}}, "from 1 to 30"),
        ({"settings": {"expects_count": "yes"}}, "expects_count"),
        ({"settings": {"practitioners": ["3990000003"]}}, "right check digit"),
        ({"settings": {"column_mapping": {"mbi": ""}}}, "heading for each role"),
        ({"settings": {"column_mapping": {"mbi": "1S00E00AA00"}}}, "without the patient's number"),
        ({"settings": {"column_mapping": {"mbi": "987654329A"}}}, "without the patient's number"),
        ({"settings": {"column_mapping": {"npi": "Doctor of 987-65-4329"}}}, "without the patient's number"),
        ({"settings": {"column_mapping": {"1S00E00AA00": "Member"}}}, "without the patient's number"),
        ({"settings": {"encoding": "ebcdic"}}, "encoding"),
        ({"settings": {"header_hash": "short"}}, "header_hash"),
        ({"settings": None}, "settings"),
        ([], ""),
    ],
)
def test_a_wrong_change_is_refused_whole_and_says_what_is_wrong(stage: Stage, change: Any, said: str) -> None:
    before = load_feed(stage.runtime, OURS, FEED)
    answer = stage.browse().patch(ADDRESS, json=change, headers=bear_admin(stage))
    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"
    assert said in answer.text and not any(number in answer.text for number in ("1S00E00AA00", "98765", "987-65"))
    assert load_feed(stage.runtime, OURS, FEED) == before


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b'{"mode": "delta"', "application/json", 400, "bad_request"),
        (b'{"mode": "delta"}', "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"mode": "delta"}', None, 415, "unsupported_media_type"),
    ],
)
def test_a_change_that_is_no_json_is_refused_as_such(
    stage: Stage, body: bytes, content_type: str | None, status: int, code: str
) -> None:
    answer = stage.browse().patch(ADDRESS, data=body, content_type=content_type, headers=bear_admin(stage))
    check_problem(answer, status, code)
    assert load_feed(stage.runtime, OURS, FEED).mode == "snapshot"


@pytest.mark.parametrize("wish", [{}, {"id": "Big Desk"}, {"id": ""}, {"id": "x" * 41}, {"id": "desk", "name": "Desk"}])
def test_a_feed_without_a_right_id_is_not_added(stage: Stage, wish: dict[str, Any]) -> None:
    answer = stage.browse().post("/api/v1/feeds", json=wish, headers=bear_admin(stage))
    assert answer.status_code == 422
    assert [feed.id for feed in find_feeds(stage.runtime, OURS)] == [FEED]


# Missing


def test_a_feed_that_does_not_exist_is_not_found(stage: Stage) -> None:
    headers = bear_admin(stage)
    check_problem(stage.browse().get("/api/v1/feeds/none", headers=headers), 404, "not_found")
    check_problem(stage.browse().patch("/api/v1/feeds/none", json={"mode": "delta"}, headers=headers), 404, "not_found")


def test_nothing_of_another_organisation_is_seen_or_changed(stage: Stage) -> None:
    person = add_person(
        stage.runtime,
        THEIRS,
        email="vic@westside.test",
        name="Vic",
        password=PASSWORD,
        roles=("admin",),
        actor=Actor.operator(),
    )
    theirs = bear_admin(stage, THEIRS, person.email)
    add_feed(stage.runtime, OURS, feed_id="ours-alone", actor=Actor.operator())
    check_problem(stage.browse().get("/api/v1/feeds/ours-alone", headers=theirs), 404, "not_found")
    change = {"settings": {"min_rows": 7}}
    check_problem(stage.browse().patch("/api/v1/feeds/ours-alone", json=change, headers=theirs), 404, "not_found")
    assert stage.browse().patch(ADDRESS, json=change, headers=theirs).status_code == 200  # theirs of the same name
    listed = stage.browse().get("/api/v1/feeds", headers=theirs).json
    assert listed is not None and [one["id"] for one in listed["items"]] == [FEED]
    assert {feed.settings["min_rows"] for feed in find_feeds(stage.runtime, OURS)} == {0}
    assert load_feed(stage.runtime, THEIRS, FEED).settings["min_rows"] == 7


# Wrong state and repeated


def test_an_id_that_is_taken_is_a_conflict_and_changes_nothing(stage: Stage) -> None:
    before = load_feed(stage.runtime, OURS, FEED)
    wish = {"id": FEED, "mode": "delta"}
    check_problem(stage.browse().post("/api/v1/feeds", json=wish, headers=bear_admin(stage)), 409, "conflict")
    assert load_feed(stage.runtime, OURS, FEED) == before


def test_a_change_made_twice_is_made_and_recorded_once(stage: Stage) -> None:
    headers, change = bear_admin(stage), {"settings": {"practitioners": [WELLS], "min_rows": 7}}
    first, again = (stage.browse().patch(ADDRESS, json=change, headers=headers) for _ in range(2))
    assert first.status_code == again.status_code == 200 and first.json == again.json
    assert len(read_facts(stage, "feed-changed")) == 1


def test_the_description_shows_an_example_of_every_setting(stage: Stage) -> None:
    document = stage.browse().get("/api/v1/openapi.json").json
    assert document is not None
    settings = document["components"]["schemas"]["FeedSettings"]["properties"]
    assert settings.keys() == DEFAULTS.keys() == set(SETTING_NAMES)
    assert all(one["description"] and "example" in one for name, one in settings.items() if name != "header_hash")
    assert document["paths"]["/api/v1/feeds/{feed}"]["patch"]["security"] == [{"bearer": ["setup:write"]}]
