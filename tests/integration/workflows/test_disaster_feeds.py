"""Files that go wrong in every way we know of: what becomes of each, while DPC hears nothing and nobody is removed.

The practice has a hundred patients at DPC, and its feed lets go whom a file leaves out once: nothing but the guards
stands between these files and a mass removal.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from photograph import Photograph, restore_photograph, take_photograph
from practice import ADA, BRUNO, CORA, OPERATOR, KeyPair, Practice, build_mbi, write_roster

from service.domain.errors import UnreadableFile
from service.emulator.server import Emulator
from service.workflows.deliveries import find_deliveries
from service.workflows.desired import load_desired
from service.workflows.digest import digest_delivery
from service.workflows.feeds import set_feed
from service.workflows.holds import find_holds

OURS = {ADA: range(60), BRUNO: range(60, 100)}
THEIRS = {CORA: range(500, 590)}
LAST_MONTH = {ADA: range(58), BRUNO: range(60, 98)}
TODAY = write_roster(OURS) + b"\r\n"
"""The roster that is at DPC, as today's export: other bytes than those of yesterday."""
HEADINGS, *ROWS = TODAY.decode().splitlines()


@pytest.fixture(scope="session")
def steady_photograph(
    emulator_server: Emulator, connected: Photograph, tmp_path_factory: pytest.TempPathFactory
) -> Photograph:
    """Taken when a hundred patients were at DPC; the file of last month was another one."""
    with restore_photograph(emulator_server, connected, tmp_path_factory.mktemp("steady")) as practice:
        set_feed(practice.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
        practice.name_practitioners()
        assert practice.deliver(write_roster(LAST_MONTH)).state == "accepted"
        practice.pass_time(timedelta(days=30))
        assert practice.deliver(write_roster(OURS)).state == "accepted"
        assert practice.apply_all().state == "applied"
        return take_photograph(practice)


@pytest.fixture
def steady(emu: Emulator, steady_photograph: Photograph, tmp_path: Path, second_key: KeyPair) -> Iterator[Practice]:
    """That practice, and another one in the same installation with patients of its own."""
    with restore_photograph(emu, steady_photograph, tmp_path) as practice:
        practice.add_organization("hillside", second_key)
        practice.organization_id = "hillside"
        practice.send_roster(THEIRS)
        practice.organization_id = "lakeside"
        yield practice


def write_table(rows: list[str]) -> bytes:
    return "".join(f"{row}\r\n" for row in [HEADINGS, *rows]).encode()


def shift_columns() -> bytes:
    """Every value stands one heading to the left of its own."""
    return write_table([",".join([*cells[1:], cells[0]]) for cells in (row.split(",") for row in ROWS)])


def mangle_npis() -> bytes:
    """The file was opened and saved in a spreadsheet, which took NPIs for numbers."""
    return TODAY.replace(ADA.encode(), b"3.99E+09").replace(BRUNO.encode(), b"3.99E+09")


def write_as_on_the_card() -> bytes:
    """Lower case, with dashes, as the number stands on the card."""
    rows = [f"{row[:4]}-{row[4:7]}-{row[7:11]}".lower() + row[11:] for row in ROWS]
    return write_table(rows)


def keep_half() -> bytes:
    """Fifty of a hundred rows, drawn by lot."""
    return write_table(sorted(random.Random(6).sample(ROWS, 50)))


def make_half_up() -> bytes:
    """Fifty of a hundred rows are about people nobody has heard of."""
    return write_roster({ADA: [*range(0, 60, 2), *range(700, 730)], BRUNO: [*range(60, 100, 2), *range(730, 750)]})


@dataclass(frozen=True)
class Disaster:
    """What arrives, how it is sent, and what must become of it: the state, and the level and rule of the hold."""

    verdict: str
    build: Callable[[], bytes]
    upload: dict[str, Any] = field(default_factory=dict)
    days_old: int | None = None


DISASTERS = {
    "header only": Disaster("hard-stop zero_rows", lambda: write_table([])),
    "wrong tenant": Disaster("hard-stop other_organization", lambda: write_roster(THEIRS) + b"\r\n"),
    "last month's file": Disaster("hard-stop old_input", lambda: write_roster(LAST_MONTH) + b"\r\n", days_old=30),
    "delta sent as snapshot": Disaster("hard-stop rows_down", lambda: write_table(ROWS[:6])),
    "snapshot sent as delta": Disaster("accepted", lambda: write_table(ROWS[:90]), {"mode": "delta"}),
    "column shift": Disaster("hard-stop zero_rows", shift_columns),
    "NPIs mangled by a spreadsheet": Disaster("hard-stop zero_rows", mangle_npis),
    "MBIs in lower case with dashes": Disaster("accepted", write_as_on_the_card),
    "half of the rows": Disaster("hard-stop rows_down", keep_half),
    "half of the rows made up": Disaster("hold patients_missing", make_half_up),
    "another clinic merged in": Disaster("hold other_organization", lambda: write_roster(OURS | THEIRS)),
    "a mangled file of some good rows": Disaster(
        "hard-stop rejected_rows", lambda: TODAY.replace(BRUNO.encode(), b"3.99E+09")
    ),
}


def describe(practice: Practice, state: str) -> str:
    holds = [f"{hold.level} {hold.rule}" for hold in find_holds(practice.rt, "lakeside")]
    return holds[0] if state == "held" and len(holds) == 1 else " ".join([state, *holds])


def check_nothing_happened(practice: Practice, requests: int) -> None:
    """Nobody is wanted more or less than before, DPC has heard nothing, and there is nothing to plan."""
    assert practice.emu.log()[requests:] == []
    with practice.rt.database.begin() as connection:
        desired = load_desired(connection, practice.rt.open_keys(connection, "lakeside"), "lakeside")
    assert {p.npi: set(p.wanted) for p in desired} == {npi: {build_mbi(n) for n in ns} for npi, ns in OURS.items()}
    assert not any(panel.ended for panel in desired)
    assert practice.draw() is None
    assert practice.find_writes(requests) == []
    assert {npi: len(found) for npi, found in practice.read_active().items()} == {ADA: 60, BRUNO: 40}


@pytest.mark.parametrize("name", DISASTERS)
def test_what_becomes_of_it(steady: Practice, name: str) -> None:
    given, requests = DISASTERS[name], steady.count_log()
    as_of_at = None if given.days_old is None else steady.rt.now() - timedelta(days=given.days_old)
    delivery = steady.deliver(given.build(), as_of_at=as_of_at, **given.upload)
    assert describe(steady, delivery.state) == given.verdict
    check_nothing_happened(steady, requests)


def test_an_empty_file_is_refused_at_the_door(steady: Practice) -> None:
    requests = steady.count_log()
    with pytest.raises(UnreadableFile):
        steady.receive(b"")
    check_nothing_happened(steady, requests)


def test_last_months_file_that_says_nothing_of_its_age_is_known_by_its_bytes(steady: Practice) -> None:
    requests = steady.count_log()
    receipt = steady.receive(write_roster(LAST_MONTH))
    assert receipt.is_new is False
    assert receipt.delivery.state == "accepted"
    check_nothing_happened(steady, requests)


def test_the_same_file_a_hundred_times_at_once_is_one_delivery(steady: Practice) -> None:
    requests, before = steady.count_log(), len(find_deliveries(steady.rt, "lakeside"))
    kept = count_files(steady)
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(lambda _: steady.receive(TODAY), range(100)))
    assert sum(receipt.is_new for receipt in receipts) == 1
    (delivery_id,) = {receipt.delivery.id for receipt in receipts}
    assert len(find_deliveries(steady.rt, "lakeside")) == before + 1
    assert count_files(steady) == kept + 1
    assert describe(steady, digest_delivery(steady.rt, "lakeside", delivery_id).state) == "accepted"
    check_nothing_happened(steady, requests)


def test_the_next_good_file_would_really_let_somebody_go_or_else_nothing_here_would_prove_anything(
    steady: Practice,
) -> None:
    assert steady.deliver(write_table(ROWS[:98])).state == "accepted"
    assert steady.draw_some().head.counts["remove"] == 2


def count_files(practice: Practice) -> int:
    return sum(path.is_file() for path in practice.rt.settings.uploads_dir.rglob("*"))
