"""What holds for every route: who may use it is declared, every answer is armoured, nothing foreign is found."""

from __future__ import annotations

import pytest
from web_stage import ADMIN, ATTESTER, FEED, FEEDER, FOREIGN_REVIEWER, REVIEWER, WELLS, Stage, check_problem
from werkzeug.routing import Rule

from service.web.access import find_rule, open_to_all
from service.web.security import CONTENT_POLICY
from service.workflows.deliveries import find_deliveries
from service.workflows.holds import find_holds
from service.workflows.plans import find_plans
from service.workflows.prove import find_attestations

PAGES_OF_ADMINS = {"/feeds", "/feeds/<feed>"}
PAGES_OF_FEEDERS = {
    *PAGES_OF_ADMINS, "/deliveries", "/deliveries/<delivery>",
    "/deliveries/<delivery>/findings.csv", "/deliveries/<delivery>/findings.json"
}  # fmt: skip
OF_EVERYBODY_LOGGED_IN = {"/", "/logout", "/organization"}


def walk_routes(stage: Stage) -> list[tuple[Rule, str]]:
    """Every route with every method that is not automatic."""
    rules = sorted(stage.app.url_map.iter_rules(), key=lambda rule: rule.rule)
    return [(rule, method) for rule in rules for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]


def fill_in(rule: Rule, stage: Stage, organization_id: str = "lakeside") -> str:
    """The rule's address with ids that exist in the organisation."""
    values = {"npi": WELLS, "kind": "expiring", "feed": FEED, "filename": "rollcall.css"}
    if "plan" in rule.arguments:
        values["plan"] = find_plans(stage.runtime, organization_id)[0].id
    if "delivery" in rule.arguments:
        values["delivery"] = find_deliveries(stage.runtime, organization_id)[0].id
    if "hold" in rule.arguments:
        values["hold"] = find_holds(stage.runtime, organization_id)[0].id
    if "attempt" in rule.arguments:
        values["attempt"] = find_attestations(stage.runtime, organization_id)[0].attempt_id
    values["patient_ref"] = "not-a-patient"
    address = rule.rule.replace("<path:", "<")
    for name in rule.arguments:
        address = address.replace(f"<{name}>", values[name])
    return address


def test_every_route_declares_who_may_use_it(stage: Stage) -> None:
    undeclared = [rule.rule for rule, _ in walk_routes(stage) if find_rule(stage.app, rule.endpoint) is None]
    assert undeclared == []


def test_only_these_routes_ask_nobody_for_a_name(stage: Stage) -> None:
    open_routes = {
        rule.rule
        for rule, _ in walk_routes(stage)
        if getattr(find_rule(stage.app, rule.endpoint), "kind", "") == "everybody"
    }
    assert open_routes == {
        "/login", "/livez", "/readyz", "/api/docs", "/api/v1/openapi.json", "/api/v1/token", "/static/<path:filename>"
    }  # fmt: skip


def test_a_route_without_a_rule_stays_shut(stage: Stage) -> None:
    stage.app.view_functions["naked"] = lambda: "inside"
    stage.app.url_map.add(Rule("/naked", endpoint="naked"))
    answer = stage.browse().get("/naked")
    assert answer.status_code == 403 and "inside" not in answer.text


def test_every_answer_carries_the_headers_whoever_asks(planned: Stage) -> None:
    browser = planned.log_in(REVIEWER)
    addresses = [(fill_in(rule, planned), method) for rule, method in walk_routes(planned) if rule.rule != "/logout"]
    addresses += [("/nothing-here", "GET"), ("/api/v1/nothing-here", "GET"), ("/plans", "DELETE"), ("/logout", "POST")]
    for client in (planned.browse(), browser):
        for address, method in addresses:
            answer = client.open(address, method=method)
            assert answer.status_code < 500, (address, answer.text)
            assert answer.headers["Content-Security-Policy"] == CONTENT_POLICY, address
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            if not address.startswith("/static/"):
                assert answer.headers["Cache-Control"] == "no-store", address


def test_an_unexpected_failure_shows_nothing_of_our_insides(stage: Stage) -> None:
    def fail() -> str:
        raise RuntimeError("1S00E00AA00 in /secret/place")

    stage.app.view_functions["documentation.show_openapi"] = open_to_all(fail)
    answer = stage.browse().get("/api/v1/openapi.json")
    check_problem(answer, 500, "internal_server_error")
    assert "1S00E00AA00" not in answer.text and "secret" not in answer.text
    assert answer.headers["Content-Security-Policy"] == CONTENT_POLICY


def test_nobody_gets_in_without_a_login(planned: Stage) -> None:
    for rule, method in walk_routes(planned):
        kind = getattr(find_rule(planned.app, rule.endpoint), "kind", "")
        if kind == "everybody":
            continue
        answer = planned.browse().open(fill_in(rule, planned), method=method)
        if kind == "machine":
            check_problem(answer, 401, "not_authenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        else:
            assert answer.status_code == 303 and answer.headers["Location"].startswith("/login"), rule.rule


def test_a_cookie_opens_no_route_of_the_api(planned: Stage) -> None:
    browser = planned.log_in(ATTESTER)
    for rule, method in walk_routes(planned):
        if getattr(find_rule(planned.app, rule.endpoint), "kind", "") == "machine":
            check_problem(browser.open(fill_in(rule, planned), method=method), 401, "not_authenticated")


def test_a_bearer_token_opens_no_page(planned: Stage) -> None:
    answer = planned.browse().get("/plans", headers=planned.bearer("reader"))
    assert answer.status_code == 303


@pytest.mark.parametrize(("email", "may_see"), [(FEEDER, PAGES_OF_FEEDERS), (ADMIN, PAGES_OF_ADMINS)])
def test_people_without_the_role_see_no_page_of_it(planned: Stage, email: str, may_see: set[str]) -> None:
    browser = planned.log_in(email)
    for rule, method in walk_routes(planned):
        if getattr(find_rule(planned.app, rule.endpoint), "kind", "") == "person" and method == "GET":
            expected = 200 if rule.rule in may_see else 403
            if rule.rule in OF_EVERYBODY_LOGGED_IN:
                continue
            assert browser.get(fill_in(rule, planned)).status_code == expected, rule.rule


def test_ids_of_another_organisation_are_not_found(planned: Stage) -> None:
    browser = planned.log_in(FOREIGN_REVIEWER)
    bearers = {"GET": planned.bearer("stranger"), "POST": planned.bearer("foreign-signer")}
    bodies = {
        "sign-offs": {"fingerprint": "0" * 64, "reason": "why not"},
        "decisions": {"verdict": "release", "reason": "why not"},
        "delivery decisions": {"verdict": "accept", "reason": "why not"},
    }
    tried = 0
    for rule, method in walk_routes(planned):
        if not rule.arguments & {"plan", "delivery", "hold", "attempt", "npi"}:
            continue
        address = fill_in(rule, planned)
        kind = getattr(find_rule(planned.app, rule.endpoint), "kind", "")
        if kind == "machine":
            last = address.rsplit("/", 1)[-1]
            body = bodies.get("delivery decisions" if "/deliveries/" in address else last)
            answer = planned.browse().open(address, method=method, headers=bearers[method], json=body)
            assert answer.status_code in ({404} if method == "GET" else {403, 404}), address
            tried += 1
        elif method == "GET":
            assert browser.get(address).status_code == 404, address
            tried += 1
    assert tried == 18


def test_a_name_that_is_not_ours_is_refused(stage: Stage) -> None:
    answer = stage.browse().get("/login", headers={"Host": "elsewhere.test"})
    assert answer.status_code == 400
    assert answer.headers["Content-Security-Policy"] == CONTENT_POLICY


def test_a_method_that_an_address_does_not_answer_is_named(stage: Stage) -> None:
    check_problem(stage.browse().delete("/api/v1/plans"), 405, "method_not_allowed")
