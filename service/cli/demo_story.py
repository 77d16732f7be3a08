"""The story of the demo: one practice over eleven weeks, through the same verbs and sockets as in earnest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from time import sleep
from typing import Any

from service.cli.demo_data import (
    DESK_FEED_ID,
    FEED_ID,
    ORGANIZATION_ID,
    ORGANIZATION_NAME,
    ORGANIZATION_NPI,
    RosterFile,
)
from service.cli.demo_machine import Machine
from service.cli.demo_summary import Tally
from service.cli.door import find_actor
from service.cli.output import write_instant
from service.domain.errors import Refusal
from service.domain.people import Actor, Role
from service.dpc.clock import ASK_EVERY_SECONDS
from service.emulator.server import Emulator
from service.runtime import Runtime
from service.workflows import onboard
from service.workflows.apply import ApplyStep, apply_plan
from service.workflows.deliveries import count_findings
from service.workflows.feeds import add_feed
from service.workflows.people import add_client, add_person
from service.workflows.plan import draw_plan
from service.workflows.prove import make_checkpoint
from service.workflows.reconcile import reconcile_organization
from service.workflows.sign import sign_plan

OFFICER, REVIEWER, ADMIN = "officer@lakeside.example", "reviewer@lakeside.example", "admin@lakeside.example"
PEOPLE = (
    (OFFICER, "Opal Fields", frozenset({Role.ATTESTER})),
    (REVIEWER, "Rhea Marsh", frozenset({Role.REVIEWER})),
    (ADMIN, "Adam Glen", frozenset({Role.ADMIN})),
)


@dataclass(frozen=True, slots=True)
class Login:
    """A person of the demo and the password that was made up for them."""

    email: str
    roles: str
    password: str


@dataclass
class Teller:
    """Says each step in one line: `say` for what was done, `note` for what came of it, `step` while sending."""

    say: Callable[[str], None]
    note: Callable[[str], None]
    step: Callable[[ApplyStep], None]


class Story:
    """Plays the story on a runtime, a running service and an emulator, and keeps the tally."""

    def __init__(self, rt: Runtime, emulator: Emulator, port: int, teller: Teller) -> None:
        self.rt = rt
        self.tally = Tally()
        self.logins: list[Login] = []
        self._emulator = emulator
        self._port = port
        self._tell = teller
        self._machine: Machine | None = None
        self._day_now = 0

    def set_up(self) -> None:
        """Onboard the practice as a customer would: organisation, key, portal, token, second key, feeds."""
        operator = Actor.operator()
        onboard.add_organization(
            self.rt, organization_id=ORGANIZATION_ID, name=ORGANIZATION_NAME, npi=ORGANIZATION_NPI, actor=operator
        )
        self._tell.say(f"Organisation {ORGANIZATION_ID} ({ORGANIZATION_NAME}) added")
        onboard.create_key(self.rt, ORGANIZATION_ID, "demo-1", operator)
        self._tell.say("4096-bit key made; the private half is sealed in the database")
        onboard.connect_to_emulator(self.rt, ORGANIZATION_ID, self._emulator.base_url, operator)
        self._tell.say("Portal: organisation registered, public key and client token exchanged; DPC gives us a token")
        onboard.rotate_key(self.rt, ORGANIZATION_ID, "demo-2", operator)
        self._tell.say("Second key posted to DPC with the first, and in use")
        add_feed(self.rt, ORGANIZATION_ID, feed_id=FEED_ID, mode="snapshot", actor=operator)
        add_feed(self.rt, ORGANIZATION_ID, feed_id=DESK_FEED_ID, mode="delta", actor=operator)
        self._tell.say(f"Feeds {FEED_ID} (everybody, daily) and {DESK_FEED_ID} (changes only) added")

    def add_people(self) -> None:
        """Three people with roles that nobody holds together, and the EHR as a program."""
        operator = Actor.operator()
        for email, name, roles in PEOPLE:
            password = secrets.token_urlsafe(15)
            add_person(self.rt, ORGANIZATION_ID, email=email, name=name, password=password, roles=roles, actor=operator)
            self.logins.append(Login(email, ", ".join(sorted(roles)), password))
        client = add_client(
            self.rt,
            ORGANIZATION_ID,
            name="demo EHR",
            scopes=frozenset({"feed:write", "status:read"}),
            person_email=None,
            actor=operator,
        )
        self._machine = Machine(self._port, client.client_id, client.client_secret)
        self._tell.say("An attester, a reviewer, an admin and the EHR's client added")

    def play(self, files: list[RosterFile]) -> None:
        """Play eleven weeks; `files` are those of `demo_data`, in order."""
        names, first, second, third, fresh, changes, cut_off = files
        self._pass_to_day(0)
        self._deliver(names)
        self._deliver(first)
        self._change("first load, read with the practice manager")
        self._pass_to_day(7)
        self._deliver(second)
        self._change("new patients and three corrected rows; the two who are missing stay for now")
        self._pass_to_day(14)
        self._deliver(third)
        self._change("two patients left: absent from two rosters in a row")
        self._pass_to_day(70)
        self._deliver(fresh)
        self._change("nothing is expected")
        self._pass_to_day(76)
        self._deliver(changes, DESK_FEED_ID)
        self._change("renewals on the roster of six days ago, and a walk-in")
        self._deliver(cut_off)

    def finish(self) -> None:
        """Sign a checkpoint and reconcile once more: nothing may be left to do."""
        checkpoint = make_checkpoint(self.rt, ORGANIZATION_ID)
        if checkpoint:
            self._tell.say(f"Ledger checkpoint signed over {checkpoint.size} entries")
        report = reconcile_organization(self.rt, ORGANIZATION_ID, actor=Actor.operator())
        self.tally.is_converged = report.outcome == "nothing"
        self._tell.say(f"Second reconcile: {report.outcome}")

    def _pass_to_day(self, day: int) -> None:
        """Let days pass at DPC; the service follows its clock."""
        if day > self._day_now:
            self._emulator.advance(timedelta(days=day - self._day_now))
            self._day_now = day
            sleep(ASK_EVERY_SECONDS + 0.1)  # both processes look at the emulator's clock at most once a second
        self._tell.say(f"Day {day}, {self.rt.now().date().isoformat()}")

    def _deliver(self, file: RosterFile, feed_id: str = FEED_ID) -> None:
        if self._machine is None:
            raise Refusal("The EHR has no client yet.", next_action="Add the people first.")
        delivery = self._machine.post_delivery(feed_id, file.body, write_instant(self.rt.now().replace(microsecond=0)))
        self._tell.say(f"{file.name} posted to {feed_id}: {delivery['state']}")
        for line in self._list_remarks(delivery):
            self._tell.note(line)

    def _list_remarks(self, delivery: dict[str, Any]) -> Iterator[str]:
        if delivery["present_count"]:
            yield f"{delivery['present_count']} pairs"
        counts = count_findings(self.rt, ORGANIZATION_ID, delivery["id"])
        if counts:
            yield "findings: " + ", ".join(f"{code} {n}" for code, n in sorted(counts.items()))
        if delivery["state"] == "held":
            yield f"held for a person: {delivery['hold_reason']}"

    def _change(self, reason: str) -> None:
        """Plan, sign as the officer, apply; says so when there is nothing to do."""
        view = draw_plan(self.rt, ORGANIZATION_ID, actor=Actor.operator())
        if view is None:
            self._tell.say("Plan: nothing to do")
            return
        head = view.head
        planned = {kind: n for kind, n in head.counts.items() if n}
        self._tell.say(f"Plan {head.number}: " + ", ".join(f"{kind} {n}" for kind, n in planned.items()))
        officer = find_actor(self.rt, ORGANIZATION_ID, OFFICER)
        sign_plan(self.rt, ORGANIZATION_ID, head.id, fingerprint=head.fingerprint, reason=reason, actor=officer)
        self._tell.say(f"Signed by {OFFICER}: {reason}")
        report = apply_plan(self.rt, ORGANIZATION_ID, head.id, Actor.operator(), self._tell.step)
        self._tell.say(f"Applied: {report.landed} landed, {report.attestations} attestations, state {report.state}")
        self.tally.count(planned, report)
