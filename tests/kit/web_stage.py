"""A practice on a small stage: a migrated database, an emulator of DPC, people, machines, and rosters to send.

The slow part (keys of 4096 bits, password hashes, migrations) is built once; each test plays on a copy.
"""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.domain.people import Actor, Role
from service.emulator.server import Emulator, EmulatorOptions
from service.runtime import Runtime, build_runtime
from service.settings import load_settings
from service.storage.people import add_membership
from service.web.app import close_app, create_app
from service.web.places import load_parts
from service.workflows.apply import apply_plan
from service.workflows.feeds import add_feed
from service.workflows.holds import decide_delivery
from service.workflows.onboard import add_organization, connect_to_emulator, create_key
from service.workflows.people import add_client, add_person, find_person_actor, issue_token
from service.workflows.plan import draw_plan
from service.workflows.plans import PlanView
from service.workflows.set_up import migrate, new_settings
from service.workflows.sign import sign_plan

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
OURS, THEIRS = "lakeside", "westside"
FEED = "ehr-daily"
PASSWORD = "a long enough password"
ATTESTER, REVIEWER, FEEDER, ADMIN = (
    "olive@lakeside.test",
    "rita@lakeside.test",
    "fred@lakeside.test",
    "ada@lakeside.test",
)
FOREIGN_REVIEWER = "hugo@westside.test"
WELLS, RIVERS, QUIET = "3990000002", "3990000010", "3990000028"
OWN_NPIS = ("3990000069", "3990000077")
"""Of the two organisations themselves."""
NAMES = {WELLS: ("Dolores", "Wells"), RIVERS: ("Iris", "Rivers"), QUIET: ("Noor", "Quist")}
_LETTERS = "ACDEFGHJKM"
HEADINGS = "MBI,First Name,Last Name,Date of Birth,Sex,Rendering NPI"


def write_mbi(n: int) -> str:
    """The n-th synthetic MBI of the sandbox's shape."""
    return f"1S{n // 10000 % 10}0E{n // 1000 % 10}0{_LETTERS[n // 100 % 10]}A{n % 100:02d}"


def write_roster(patients: Mapping[str, Sequence[int]]) -> bytes:
    """A roster that lists the patients with these numbers under each practitioner."""
    rows = [
        f"{write_mbi(n)},Given{n},Family{n},{1930 + n % 30}-0{1 + n % 9}-1{n % 9},{'FM'[n % 2]},{npi}"
        for npi, numbers in patients.items()
        for n in numbers
    ]
    return "\n".join([HEADINGS, *rows, ""]).encode()


def write_practitioners() -> bytes:
    """A list with the names of all practitioners."""
    return "\n".join(["NPI,First Name,Last Name", *(f"{n},{g},{f}" for n, (g, f) in NAMES.items()), ""]).encode()


FIRST_ROSTER = {WELLS: range(12), RIVERS: range(12, 20)}


@dataclass(frozen=True)
class Scenery:
    """What every stage is a copy of."""

    folder: Path
    environ: Mapping[str, str]
    port: int
    clients: Mapping[str, tuple[str, str]] = field(repr=False)


def build_scenery(folder: Path) -> Scenery:
    """Onboard two practices, their people and their machines, and connect one of them to an emulator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    origin = f"http://127.0.0.1:{port}"
    environ = new_settings(folder) | {
        "ROLLCALL_SECURE_COOKIES": "no",
        "ROLLCALL_ALLOWED_DPC_ORIGINS": origin,
        "ROLLCALL_QUIESCE": "1",
    }
    settings = load_settings(environ)
    migrate(settings)
    with _open_emulator(folder, port) as emulator, build_runtime(settings) as real:
        emulator.set_clock(START, "frozen")
        rt = replace(real, clock=emulator.now)
        operator = Actor.operator()
        for number, organization_id in enumerate((OURS, THEIRS)):
            name = f"{organization_id.title()} Clinic"
            npi = OWN_NPIS[number]
            add_organization(rt, organization_id=organization_id, name=name, npi=npi, actor=operator)
            add_feed(rt, organization_id, feed_id=FEED, mode="snapshot", absences_before_removal=1, actor=operator)
        create_key(rt, OURS, "first", operator)
        connect_to_emulator(rt, OURS, origin, operator)
        _add_people(rt)
        clients = _add_clients(rt)
    return Scenery(folder, environ, port, clients)


def _add_people(rt: Runtime) -> None:
    people = (
        (OURS, ATTESTER, "Olive Ames", ("attester",)),
        (OURS, REVIEWER, "Rita Byrd", ("reviewer",)),
        (OURS, FEEDER, "Fred Cole", ("feeder",)),
        (OURS, ADMIN, "Ada Dunn", ("admin",)),
        (THEIRS, FOREIGN_REVIEWER, "Hugo Eads", ("reviewer",)),
    )
    for organization_id, email, name, roles in people:
        person = add_person(
            rt, organization_id, email=email, name=name, password=PASSWORD, roles=roles, actor=Actor.operator()
        )
        if email == ATTESTER:  # somebody who works for both
            with rt.database.begin() as connection:
                add_membership(connection, THEIRS, person.id, Role.REVIEWER)


def _add_clients(rt: Runtime) -> dict[str, tuple[str, str]]:
    wishes = {
        "feeder": (OURS, ("feed:write",), None),
        "monitor": (OURS, ("status:read",), None),
        "reader": (OURS, ("plans:read", "status:read"), None),
        "signer": (OURS, ("plans:read", "plans:sign"), ATTESTER),
        "stranger": (THEIRS, ("feed:write", "status:read", "plans:read"), None),
        "foreign-signer": (THEIRS, ("plans:read", "plans:sign"), FOREIGN_REVIEWER),
    }
    made = {}
    for name, (organization_id, scopes, email) in wishes.items():
        new = add_client(rt, organization_id, name=name, scopes=scopes, person_email=email, actor=Actor.operator())
        made[name] = (new.client_id, new.client_secret)
    return made


def _open_emulator(folder: Path, port: int) -> Emulator:
    return Emulator(EmulatorOptions(data=folder / "emulator.db", port=port))


@dataclass
class Stage:
    """One test's own practice; `app` is the real application, `emulator` its DPC."""

    scenery: Scenery
    runtime: Runtime
    emulator: Emulator
    app: Flask

    def browse(self) -> FlaskClient:
        """A browser without a login."""
        return self.app.test_client()

    def log_in(self, email: str) -> FlaskClient:
        """A browser in which a person is logged in."""
        browser = self.browse()
        answer = self.post_form(browser, "/login", "/login", {"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser

    def post_form(self, browser: FlaskClient, page: str, action: str, fields: Mapping[str, str]) -> TestResponse:
        """Send a form the way a browser does: with the token that stands on the page."""
        return browser.post(action, data={**fields, "csrf_token": read_csrf(browser, page)})

    def bearer(self, client: str) -> dict[str, str]:
        """The Authorization header of a machine."""
        token = issue_token(self.runtime, *self.scenery.clients[client])
        return {"Authorization": f"Bearer {token.access_token}"}

    def send(self, body: bytes, *, as_of_at: datetime | None = None, sender: str = "feeder") -> str:
        """Post a file over HTTP, wait until it has been read, and answer its id."""
        headers = self.bearer(sender) | {"Content-Type": "text/csv"}
        headers |= {"X-Roster-As-Of": as_of_at.isoformat()} if as_of_at else {}
        answer = self.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body, headers=headers)
        assert answer.status_code in (200, 202) or "Location" in answer.headers, answer.text
        self.settle()
        return answer.headers["Location"].rpartition("/")[2]

    def accept(self, delivery_id: str) -> None:
        """Let the reviewer accept a delivery that a guard holds."""
        actor = find_person_actor(self.runtime, OURS, REVIEWER)
        decided = decide_delivery(self.runtime, OURS, delivery_id, "accept", "called the practice", actor)
        assert decided.state == "released"

    def settle(self) -> None:
        """Wait until nothing runs in the background any more."""
        load_parts(self.app).pool.wait()

    def draw(self) -> PlanView:
        """Draw a plan; there must be one."""
        plan = draw_plan(self.runtime, OURS, actor=Actor.operator())
        assert plan is not None
        return plan

    def sign(self, plan: PlanView) -> None:
        """Sign a plan as the attester."""
        actor = find_person_actor(self.runtime, OURS, ATTESTER)
        sign_plan(
            self.runtime, OURS, plan.head.id, fingerprint=plan.head.fingerprint, reason="read and right", actor=actor
        )

    def carry_out(self) -> PlanView:
        """Draw, sign and apply a plan."""
        plan = self.draw()
        self.sign(plan)
        report = apply_plan(self.runtime, OURS, plan.head.id, Actor.operator())
        assert report.state == "applied", report
        return plan

    def begin(self) -> PlanView:
        """Send the first roster and have it attributed at DPC."""
        self.send(write_practitioners())
        self.send(write_roster(FIRST_ROSTER))
        return self.carry_out()

    def advance(self, days: float) -> datetime:
        """Let days pass."""
        return self.emulator.advance(timedelta(days=days))


LATER_ROSTER = {WELLS: range(6), RIVERS: range(12, 25)}
"""76 days on: six patients have gone, which needs two people; five have come, and the rest is due for renewal."""


def play_on(scenery: Scenery, folder: Path, play: Callable[[Stage], object]) -> Scenery:
    """Play something on a copy of a scenery, and answer what that leaves behind as the next scenery."""
    with open_stage(scenery, folder) as stage:
        play(stage)
    return replace(scenery, folder=folder)


def plan_later(stage: Stage) -> PlanView:
    """Let 76 days pass after the beginning, send the next roster, and draw the plan that a person must sign.

    The roster lacks so many of the patients who were known that somebody has to accept the file first.
    """
    now = stage.advance(76)
    stage.accept(stage.send(write_roster(LATER_ROSTER), as_of_at=now))
    return stage.draw()


@contextmanager
def open_stage(scenery: Scenery, folder: Path) -> Iterator[Stage]:
    """Copy the scenery into a folder, start emulator and application on it, and clear up afterwards."""
    shutil.copytree(scenery.folder, folder, dirs_exist_ok=True)
    settings = load_settings({**scenery.environ, "ROLLCALL_DATA_DIR": str(folder)})
    with _open_emulator(folder, scenery.port) as emulator, build_runtime(settings) as real:
        runtime = replace(real, clock=emulator.now, sleep=lambda seconds: None)
        app = create_app(runtime)
        app.config["TESTING"] = False
        try:
            yield Stage(scenery, runtime, emulator, app)
        finally:
            close_app(app)


def read_csrf(browser: FlaskClient, page: str) -> str:
    """The form token that stands on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


def check_problem(answer: TestResponse, status: int, code: str) -> None:
    """Check that an answer is a whole problem document of this status and code (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    body = answer.json
    assert body is not None
    assert set(body) >= {"type", "title", "status", "detail", "instance", "code", "next_action"}
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"] and body["next_action"]
