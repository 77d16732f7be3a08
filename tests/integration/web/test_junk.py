"""Whatever is thrown at a route, it refuses in good order: never a failure of our own, never an echo."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from web_stage import ATTESTER, FEED, Stage, read_csrf
from werkzeug.routing import Rule

from service.web.access import find_rule

JUNK = (
    "\0",
    "a\0b",
    "..%2f..%2fetc",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "é漢字🦄",
    "\u202eabc",
    "9" * 400,
    "-1",
    "1e309",
    "{{7*7}}",
    "%s%n",
    " ",
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    b'{"fingerprint": 1e999}',
)
KINDS = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/csv",
    "multipart/form-data; boundary=x",
    "nonsense",
)


def walk(stage: Stage, kind: str) -> Iterator[tuple[Rule, str]]:
    for rule in sorted(stage.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if getattr(find_rule(stage.app, rule.endpoint), "kind", "") == kind:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method


def fill(rule: Rule, junk: str) -> str:
    address = rule.rule
    for name in rule.arguments:
        address = address.replace(f"<{name}>", quote(junk, safe=""))
    return address


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_no_address_of_the_api_fails_on_a_junk_id_or_question(stage: Stage, junk: str) -> None:
    clients = [stage.bearer(name) for name in ("feeder", "reader", "signer")]
    for rule, method in walk(stage, "machine"):
        for bearer in clients:
            for question in ("", f"?limit={quote(junk)}", f"?cursor={quote(junk)}", f"?format={quote(junk)}"):
                answer = stage.browse().open(fill(rule, junk) + question, method=method, headers=bearer)
                assert answer.status_code < 500, (rule.rule, question, answer.text)
                assert "<script>" not in answer.text


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_no_page_fails_on_a_junk_id_or_question(begun: Stage, junk: str) -> None:
    browser = begun.log_in(ATTESTER)
    for rule, method in walk(begun, "person"):
        if method == "GET":
            for question in (
                "",
                f"?cursor={quote(junk)}",
                f"?bucket={quote(junk)}&state={quote(junk)}&npi={quote(junk)}",
            ):
                answer = browser.get(fill(rule, junk) + question)
                assert answer.status_code < 500, (rule.rule, question)
                assert "<script>" not in answer.text


def test_no_route_fails_on_a_junk_body(stage: Stage) -> None:
    bearers = [stage.bearer(name) for name in ("feeder", "signer")]
    for kind in ("machine", "everybody"):
        for rule, method in walk(stage, kind):
            if method != "POST":
                continue
            for body in BODIES:
                for content_type in KINDS:
                    for bearer in bearers:
                        address = fill(rule, "x").replace("/feeds/x/", f"/feeds/{FEED}/")
                        headers = bearer | {"Content-Type": content_type}
                        answer = stage.browse().post(address, data=body, headers=headers)
                        assert answer.status_code < 500, (rule.rule, body[:20], content_type)
                        stage.settle()


def test_no_form_fails_on_junk_fields(begun: Stage) -> None:
    browser = begun.log_in(ATTESTER)
    token = read_csrf(browser, "/")
    for rule, method in walk(begun, "person"):
        if method == "POST" and rule.rule != "/logout":
            for junk in JUNK:
                names = ("verdict", "reason", "fingerprint", "confirm", "plan", "organization")
                form = dict.fromkeys(names, junk) | {"csrf_token": token}
                answer = browser.post(fill(rule, "x"), data=form)
                assert answer.status_code < 500, (rule.rule, junk)


@pytest.mark.parametrize(
    "header", ["X-Roster-Mode", "X-Roster-As-Of", "X-Roster-Sequence", "Idempotency-Key", "Digest"]
)
def test_no_header_of_an_upload_fails_on_junk(stage: Stage, header: str) -> None:
    for junk in JUNK:
        text = quote(junk)
        headers = stage.bearer("feeder") | {header: text, "Content-Digest": f"sha-256=:{text}:"}
        answer = stage.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=b"x", headers=headers)
        assert answer.status_code == 422, junk
