"""A practice for tests: its runtime, its people, its rosters, and what the emulator saw of it."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from service.domain.attestation import build_provenance
from service.domain.errors import WrongState
from service.domain.people import Actor, Role
from service.dpc.credentials import load_private_key
from service.emulator.server import Emulator
from service.runtime import Runtime, build_runtime
from service.settings import load_settings
from service.storage import intents, organizations
from service.storage.intents import Attempt, Intent
from service.workflows import onboard
from service.workflows.apply import ApplyReport, apply_plan
from service.workflows.deliveries import DeliveryView
from service.workflows.digest import digest_delivery
from service.workflows.feeds import add_feed
from service.workflows.holds import decide_delivery, decide_hold, find_holds
from service.workflows.plan import draw_plan
from service.workflows.plans import PlanView
from service.workflows.prove import verify_ledger
from service.workflows.receive import Receipt, Upload, receive
from service.workflows.set_up import new_settings
from service.workflows.sign import sign_plan

ADA, BRUNO, CORA = "3990000002", "3990000010", "3990000028"
"""Three practitioners; the numbers are of the sandbox kind."""
ORGANIZATION_NPIS = {"lakeside": "3905293015", "hillside": "3990000036"}
READ_TIMEOUT, QUIESCE = 2, 3
QUIET = timedelta(seconds=READ_TIMEOUT + QUIESCE + 61)
"""Longer than a call, its quiet time and a dead process's lease together."""
GROUP_WRITES = ("/Group", "$add", "$remove")

OPERATOR = Actor.operator()


class KeyPair(Protocol):
    """A private and a public key in PEM."""

    @property
    def private_pem(self) -> bytes: ...

    @property
    def public_pem(self) -> str: ...


def build_person(name: str, *roles: Role, organization_id: str = "lakeside") -> Actor:
    """Somebody with roles in one organisation."""
    return Actor(f"{name}@{organization_id}.example", organization_id, frozenset(roles))


VERA = build_person("vera", Role.ATTESTER, Role.REVIEWER)
WILMA = build_person("wilma", Role.ATTESTER, Role.REVIEWER)
RUTH = build_person("ruth", Role.REVIEWER)
FRED = build_person("fred", Role.FEEDER)
ADAM = build_person("adam", Role.ADMIN)


def build_mbi(n: int) -> str:
    """The n-th sandbox-shape MBI."""
    return f"1S00E{n // 1000 % 10}{n // 100 % 10}AA{n % 100:02d}"


def write_roster(panels: Mapping[str, Sequence[int]], *, end: str = "\r\n") -> bytes:
    """A roster of pairs with what DPC needs to register the patients; patients by number."""
    lines = ["MBI,First Name,Last Name,Date of Birth,Sex,Rendering NPI"]
    lines += [
        f"{build_mbi(n)},Pat{chr(97 + n % 26)},Number{chr(97 + n // 26 % 26)},1940-01-{1 + n % 28:02d},F,{npi}"
        for npi, numbers in panels.items()
        for n in numbers
    ]
    return (end.join(lines) + end).encode()


def write_practitioners(npis: Sequence[str] = (ADA, BRUNO, CORA)) -> bytes:
    """A file with the names of practitioners."""
    names = {ADA: "Ada,Wells", BRUNO: "Bruno,Brooks", CORA: "Cora,Rivers"}
    return ("NPI,First Name,Last Name\r\n" + "".join(f"{n},{names[n]}\r\n" for n in npis)).encode()


class Practice:
    """One installation with one organisation of interest, talking to an emulator; it can be restarted."""

    def __init__(self, emulator: Emulator, rt: Runtime) -> None:
        self.emu = emulator
        self.rt = rt
        self.organization_id = "lakeside"
        self.sent = 0

    def restart(self) -> None:
        """A new process on the same database; parsed keys are kept because parsing them is slow."""
        self.rt.close()
        self.rt = _build_runtime(self.emu, self.rt)

    def add_organization(self, organization_id: str, key_pair: KeyPair, **settings: Any) -> None:
        """Add an organisation, connect it with a key made before, and give it the snapshot feed `ehr`."""
        rt, now = self.rt, self.rt.now()
        npi = ORGANIZATION_NPIS[organization_id]
        onboard.add_organization(
            rt, organization_id=organization_id, name=organization_id.title(), npi=npi, actor=OPERATOR, **settings
        )
        with rt.database.begin() as connection:
            keys = rt.open_keys(connection, organization_id)
            key = organizations.DpcKey(label="first", public_pem=key_pair.public_pem, created_at=now)
            organizations.add_key(connection, keys, organization_id, key, key_pair.private_pem)
        rt._private_keys[key.id] = _parse_key(key_pair.private_pem)
        onboard.connect_to_emulator(rt, organization_id, self.emu.base_url, OPERATOR)
        add_feed(rt, organization_id, feed_id="ehr", mode="snapshot", actor=OPERATOR)

    # Rosters

    def receive(self, content: bytes, *, feed: str = "ehr", actor: Actor = OPERATOR, **upload: Any) -> Receipt:
        """Receive a file."""
        return receive(self.rt, self.organization_id, feed, io.BytesIO(content), Upload(**upload), actor)

    def deliver(self, content: bytes, **more: Any) -> DeliveryView:
        """Receive a file and read it."""
        return digest_delivery(self.rt, self.organization_id, self.receive(content, **more).delivery.id)

    def send_roster(self, panels: Mapping[str, Sequence[int]], **more: Any) -> DeliveryView:
        """Send a roster that no earlier one equals byte by byte, and see it accepted."""
        self.sent += 1
        delivery = self.deliver(write_roster(panels) + b"\r\n" * self.sent, **more)
        assert delivery.state == "accepted", delivery.hold_reason
        return delivery

    def send_odd_roster(self, panels: Mapping[str, Sequence[int]], **more: Any) -> DeliveryView:
        """Send a roster that a guard holds, and let people accept it."""
        self.sent += 1
        delivery = self.deliver(write_roster(panels) + b"\r\n" * self.sent, **more)
        assert delivery.state == "held"
        self.accept(delivery.id)
        return delivery

    def accept(self, delivery_id: str) -> None:
        """Let as many people accept a held delivery as it takes."""
        for person in (RUTH, VERA):
            hold = decide_delivery(self.rt, self.organization_id, delivery_id, "accept", "Called the practice.", person)
            if hold.state == "released":
                return
        raise AssertionError(hold.state)

    def accept_anew(self, delivery_id: str) -> None:
        """Let people accept a held delivery that is doubted otherwise by now: refused at first, then asked anew."""
        with suppress(WrongState):
            self.accept(delivery_id)
            raise AssertionError("Nothing was asked anew.")
        found = [hold for hold in find_holds(self.rt, self.organization_id) if hold.delivery_id == delivery_id]
        for person in (RUTH, VERA):
            if decide_hold(self.rt, self.organization_id, found[0].id, "release", "Called.", person).state != "open":
                return

    def name_practitioners(self) -> None:
        """Send the names of the three practitioners."""
        assert self.deliver(write_practitioners()).state == "accepted"

    def start_with(self, panels: Mapping[str, Sequence[int]]) -> ApplyReport:
        """Bring the Groups into being: names, roster, plan, signature, apply."""
        self.name_practitioners()
        self.send_roster(panels)
        report = self.apply_all()
        assert report.state == "applied"
        return report

    # Plans

    def draw(self, **more: Any) -> PlanView | None:
        """Draw a plan as the operator, unless another actor is given."""
        return draw_plan(self.rt, self.organization_id, **{"actor": OPERATOR, **more})

    def draw_some(self, **more: Any) -> PlanView:
        """Draw a plan that must not be empty."""
        plan = self.draw(**more)
        assert plan is not None
        return plan

    def sign(self, plan: PlanView, actor: Actor = VERA) -> str:
        """Sign a plan and answer its id."""
        fingerprint = plan.head.fingerprint
        return sign_plan(
            self.rt, self.organization_id, plan.head.id, fingerprint=fingerprint, reason="Read it.", actor=actor
        ).id

    def draw_signed(self, **more: Any) -> str:
        """Draw a plan, sign it, and answer its id."""
        return self.sign(self.draw_some(**more))

    def apply(self, plan_id: str, actor: Actor = OPERATOR, progress: Any = None) -> ApplyReport:
        """Apply a plan."""
        return apply_plan(self.rt, self.organization_id, plan_id, actor, progress)

    def apply_all(self) -> ApplyReport:
        """Draw, sign and apply."""
        return self.apply(self.draw_signed())

    def load_plan_state(self, plan_id: str) -> str:
        """The state of a plan."""
        from service.storage import plans

        with self.rt.database.read() as connection:
            return plans.load_plan(connection, self.organization_id, plan_id).state

    # Time

    def pass_time(self, duration: str | timedelta = QUIET) -> datetime:
        """Let time pass for the emulator and for us."""
        return self.emu.advance(duration)

    # What is so

    def read_active(self) -> dict[str, set[str]]:
        """Who is active at DPC by NPI, asked through DPC's own API; MBIs."""
        found: dict[str, set[str]] = defaultdict(set)
        with self.rt.connect_dpc(self.organization_id) as dpc:
            mbis = {p.patient_id: p.mbi for p in dpc.read_patients()}
            for group in dpc.read_groups():
                found[group.npi] |= {
                    mbis[m.patient_id] for m in group.members if not m.inactive and m.end_at > self.emu.now()
                }
        return dict(found)

    def read_ends(self, npi: str) -> dict[str, datetime]:
        """The period ends of one Group at DPC, by MBI."""
        with self.rt.connect_dpc(self.organization_id) as dpc:
            mbis = {p.patient_id: p.mbi for p in dpc.read_patients()}
            return {mbis[m.patient_id]: m.end_at for g in dpc.find_groups_by_npi(npi) for m in g.members}

    def attest_elsewhere(self, npi: str, numbers: Sequence[int]) -> None:
        """Somebody else adds registered patients to a Group of the organisation, past Rollcall."""
        wanted = {build_mbi(n) for n in numbers}
        with self.rt.connect_dpc(self.organization_id) as dpc:
            (group,) = dpc.find_groups_by_npi(npi)
            practitioner = next(p.practitioner_id for p in dpc.read_practitioners() if p.npi == npi)
            said = build_provenance(dpc.read_organization().organization_id, practitioner, self.rt.now())
            ids = [p.patient_id for p in dpc.read_patients() if p.mbi in wanted]
            dpc.add_to_group(group.group_id, npi, ids, said, "somebody-else")

    def find_writes(self, since: int = 0) -> list[dict[str, Any]]:
        """The emulator's journal of writes to Groups, in order."""
        return [e for e in self.emu.log()[since:] if is_group_write(e)]

    def count_log(self) -> int:
        """How many requests the emulator has seen."""
        return len(self.emu.log())

    def find_calls(self, since: int) -> list[str]:
        """The requests since a point of the journal as `METHOD path` without the base."""
        return [f"{e['method']} {e['path'].removeprefix('/api/v1')}" for e in self.emu.log()[since:]]

    def find_attempts(self) -> list[Attempt]:
        """Every attempt, oldest first."""
        with self.rt.database.read() as connection:
            found = intents.find_attempts(connection, self.organization_id, limit=500)
        return found[::-1]

    def load_intents(self) -> dict[str, Intent]:
        """Every intent that was attempted, by id."""
        with self.rt.database.read() as connection:
            return {
                a.intent_id: intents.load_intent(connection, self.organization_id, a.intent_id)
                for a in self.find_attempts()
            }


def is_group_write(entry: Mapping[str, Any]) -> bool:
    """True for a journal entry that creates or changes a Group."""
    return entry["method"] in ("POST", "PUT") and "/Group" in entry["path"]


def find_faults(practice: Practice) -> list[str]:
    """The checker: compare what the emulator saw with what we recorded; every contradiction in one sentence.

    The emulator's journal is the oracle. Holds at any moment: no write without an attempt recorded under its request
    id, and in the very words recorded; nothing that landed is sent again; a repetition uses the same Provenance. Holds
    once everything is settled: an intent is landed exactly when one of its calls took effect.
    """
    attempts = {a.id: a for a in practice.find_attempts()}
    states = practice.load_intents()
    found: list[str] = []
    effects: Counter[str] = Counter()
    words: dict[str, set[str | None]] = defaultdict(set)
    for entry in practice.find_writes():
        attempt = attempts.get(entry["request_id"])
        if attempt is None:
            found.append(f"call {entry['n']} was sent without a recorded attempt")
            continue
        if attempt.provenance != entry["provenance_text"]:
            found.append(f"call {entry['n']} spoke other words than were recorded")
        if effects[attempt.intent_id]:
            found.append(f"call {entry['n']} was sent although its intent had landed")
        effects[attempt.intent_id] += bool(entry["effect"])
        words[attempt.intent_id].add(attempt.provenance)
    sent = [entry["request_id"] for entry in practice.find_writes()]
    found += [f"attempt {one} was sent {n} times" for one, n in Counter(sent).items() if n > 1]
    found += ["a repetition changed its Provenance" for texts in words.values() if len(texts) > 1]
    for intent_id, intent in states.items():
        is_settled = bool(intent.npi) and intent.state in ("landed", "not-landed", "refused")
        if is_settled and (intent.state == "landed") != (effects[intent_id] == 1):
            found.append(f"an intent is recorded as {intent.state} but took effect {effects[intent_id]} times")
    verified = verify_ledger(practice.rt)
    if not verified.ok:
        found.append(f"the ledger does not verify: {verified.fault}")
    return found


def check_settled(practice: Practice, wanted: Mapping[str, Sequence[int]]) -> None:
    """Assert that nothing is open, that record and oracle agree, and that DPC holds exactly what is wanted."""
    assert find_faults(practice) == []
    assert [a for a in practice.find_attempts() if a.state in ("open", "ambiguous")] == []
    active = {npi: found for npi, found in practice.read_active().items() if found}
    assert active == {npi: {build_mbi(n) for n in numbers} for npi, numbers in wanted.items() if numbers}


@cache
def _parse_key(private_pem: bytes) -> RSAPrivateKey:
    return load_private_key(private_pem)


@contextmanager
def open_practice(emulator: Emulator, database_url: str, folder: Path) -> Iterator[Practice]:
    """An installation without organisations on a migrated database."""
    environ = new_settings(folder / "installation") | {
        "ROLLCALL_DATABASE_URL": database_url,
        "ROLLCALL_ALLOWED_DPC_ORIGINS": emulator.base_url,
        "ROLLCALL_CLOCK": f"emulator:{emulator.base_url}",
        "ROLLCALL_READ_TIMEOUT": str(READ_TIMEOUT),
        "ROLLCALL_QUIESCE": str(QUIESCE),
    }
    opened = Practice(emulator, follow(emulator, build_runtime(load_settings(environ))))
    try:
        yield opened
    finally:
        opened.rt.close()


def _build_runtime(emulator: Emulator, old: Runtime) -> Runtime:
    return replace(follow(emulator, build_runtime(old.settings)), _private_keys=old._private_keys)


def follow(emulator: Emulator, rt: Runtime) -> Runtime:
    """Take the time from the emulator itself, without asking over the wire, and let waiting pass its time."""

    def sleep(seconds: float) -> None:
        emulator.advance(timedelta(seconds=seconds))

    return replace(rt, clock=emulator.now, sleep=sleep)
