"""A roster cut at any byte: what lost a row is refused or waits for a person, and nobody at all is let go by it.

The complete file was accepted once, and its feed always declares how many rows it has. Every cut is read and judged by
what the file itself says, without asking which patients are missing; other guards can only add doubts. A cut that takes
nothing but the last line end leaves the complete file, which is the one thing that is accepted.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fhir_documents import bundle, patient, practitioner, refer
from practice import ADA, BRUNO, OPERATOR, Practice, build_mbi, write_roster
from workbooks import build_workbook, write_row

from service.domain.errors import UnreadableFile
from service.domain.intake import Effect, History, Judgement, Verdict, judge_delivery
from service.workflows.desired import load_desired
from service.workflows.feeds import add_feed, set_feed
from service.workflows.judge import describe_file, load_history, weigh_delivery
from service.workflows.reading import Reading, open_delivery, read_as_told

ROWS, SHARES = 2_000, 8
NPIS = (ADA, BRUNO)


@dataclass(frozen=True)
class Judge:
    """Judges what is left of a file as the next delivery of its feed."""

    arrived: Reading
    history: History
    path: Path
    today: date

    def read(self, content: bytes) -> Reading:
        """What the feed reads there."""
        self.path.write_bytes(content)
        return replace(self.arrived, reading=read_as_told(self.path, self.arrived, self.today))

    def judge(self, content: bytes) -> Judgement:
        """The verdict on the file by itself."""
        opened = self.read(content)
        return judge_delivery(describe_file(opened, Effect()), self.history, opened.settings)

    def find_accepted(self, whole: bytes, cuts: Iterable[int]) -> set[int]:
        """The cuts after which the file would count."""
        return {cut for cut in cuts if self.judge(whole[:cut]).verdict is Verdict.ACCEPTED}


def become_judge(practice: Practice, folder: Path, whole: bytes, again: bytes, **more: Any) -> Judge:
    """Have the complete file accepted, and let the next one arrive: what it says is exchanged for each cut."""
    first = practice.deliver(whole, **more)
    assert first.state == "accepted", (first.file_error, first.hold_reason)
    arrived = open_delivery(practice.rt, "lakeside", practice.receive(again, **more).delivery.id)
    with practice.rt.database.read() as connection:
        history = load_history(connection, "lakeside", arrived)
    return Judge(arrived, history, folder / "cut", practice.rt.now().date())


def write_pairs(n: int) -> bytes:
    """A table of pairs with a trailer that counts them."""
    rows = "".join(f"{write_mbi(place)},{NPIS[place % 2]}\n" for place in range(n))
    return f"MBI,NPI\n{rows}Total,{n}\n".encode()


def write_mbi(n: int) -> str:
    """The n-th of a hundred thousand sandbox-shape MBIs."""
    return f"1S{n // 10_000 % 10}0E{n // 1_000 % 10}0{'ACDEFGHJKM'[n // 100 % 10]}A{n % 100:02d}"


# Every byte of two thousand rows


@pytest.mark.parametrize("share", range(SHARES))
def test_two_thousand_rows_cut_at_every_byte(practice: Practice, tmp_path: Path, share: int) -> None:
    whole = write_pairs(ROWS)
    judge = become_judge(practice, tmp_path, whole, whole + b"\n")
    cuts = range(1 + share, len(whole), SHARES)
    assert judge.find_accepted(whole, cuts) == {len(whole) - 1} & set(cuts)


def test_what_loses_only_the_last_line_end_is_the_complete_file_and_nobody_is_missing_in_it(
    practice: Practice, tmp_path: Path
) -> None:
    whole = write_pairs(ROWS)
    judge = become_judge(practice, tmp_path, whole, whole + b"\n")
    opened = judge.read(whole[:-1])
    with practice.rt.database.read() as connection:
        weighed = weigh_delivery(connection, "lakeside", opened)
    assert weighed.judgement.verdict is Verdict.ACCEPTED
    assert weighed.total == Effect(known=ROWS, listed=ROWS)


# Every byte of other formats


def write_messages(n: int, batches: int = 1) -> bytes:
    """HL7 v2 messages in batches in a file, each with the trailer that counts what is in it."""
    parts = ["FHS|^~\\&|EHR|CLINIC|||||||F1"]
    for batch in range(batches):
        parts.append(f"BHS|^~\\&|EHR|CLINIC|||||||B{batch}")
        for place in range(batch, n, batches):
            parts.append(f"MSH|^~\\&|EHR|CLINIC|||20260302083000||ADT^A08|M{place}|P|2.5")
            parts.append(f"PID|1||{build_mbi(place)}^^^CMS^MC||Doe^Ann||19400101|F")
            parts.append(f"PV1|1|O|||||{NPIS[place % 2]}^Doe^Jane^^^^^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI")
        parts.append(f"BTS|{len(range(batch, n, batches))}")
    return "".join(part + "\r" for part in [*parts, f"FTS|{batches}"]).encode()


def write_envelope(n: int) -> bytes:
    pairs = [{"mbi": build_mbi(place), "npi": NPIS[place % 2]} for place in range(n)]
    return json.dumps({"mode": "snapshot", "count": n, "pairs": pairs}).encode() + b"\n"


def write_patients(n: int) -> list[dict[str, Any]]:
    """Practitioners first, then patients who refer to them."""
    doctors = [practitioner(npi, id=f"d{place}") for place, npi in enumerate(NPIS)]
    patients = [
        patient(build_mbi(place), id=f"p{place}", generalPractitioner=[refer(f"Practitioner/d{place % 2}")])
        for place in range(n)
    ]
    return [*doctors, *patients]


def write_bundle(n: int) -> bytes:
    resources = write_patients(n)
    return json.dumps(bundle(*resources, type="collection", total=len(resources))).encode() + b"\n"


def write_lines(n: int) -> bytes:
    """FHIR resources, one a line: nothing in them says how many there are."""
    return "".join(json.dumps(one) + "\n" for one in write_patients(n)).encode()


def write_sheet(n: int) -> bytes:
    rows = [write_row(place + 2, build_mbi(place), NPIS[place % 2]) for place in range(n)]
    return build_workbook({"Roster": write_row(1, "MBI", "NPI") + "".join(rows)})


def compress(*parts: bytes) -> bytes:
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def split(whole: bytes, line: int) -> tuple[bytes, bytes]:
    at = len(b"".join(whole.splitlines(keepends=True)[:line]))
    return whole[:at], whole[at:]


@dataclass(frozen=True)
class Format:
    """The complete file, the same rows as other bytes, how it is sent, and how many last bytes may be lost."""

    whole: bytes
    again: bytes
    may_lose: tuple[int, ...] = ()
    feed: str = "ehr"
    upload: Mapping[str, Any] | None = None


PAIRS, QUOTED = write_pairs(200), write_pairs(100).replace(b",", b'","').replace(b"\n", b'"\n"')[:-1]
MESSAGES, PARTED = write_messages(12), write_messages(12, batches=3)
"""Of HL7 the last bytes are `FTS|3` and a line end: without the number every batch is there, and closed."""
FORMATS: dict[str, Callable[[], Format]] = {
    "table with CRLF": lambda: Format(PAIRS.replace(b"\n", b"\r\n"), PAIRS, (1, 2)),
    "table in quotes": lambda: Format(b'"' + QUOTED, write_pairs(100), may_lose=(1,)),
    "table in UTF-16": lambda: Format(write_pairs(100).decode().encode("utf-16"), write_pairs(100), (2,)),
    "gzip": lambda: Format(compress(PAIRS), compress(PAIRS + b"\n")),
    "gzip without a count inside": lambda: Format(compress(PAIRS[:-10]), compress(PAIRS[:-9] + b"\n")),
    "gzip in two members": lambda: Format(compress(*split(PAIRS, 150)), compress(PAIRS)),
    "JSON with a count": lambda: Format(write_envelope(100), write_envelope(100) + b"\n", may_lose=(1,)),
    "FHIR Bundle with a total": lambda: Format(write_bundle(40), write_bundle(40) + b"\n", may_lose=(1,)),
    "NDJSON with a count beside it": lambda: Format(
        write_lines(30), b"\n" + write_lines(30), (1,), upload={"count": 30}
    ),
    "HL7 batch": lambda: Format(MESSAGES, MESSAGES.replace(b"\r", b"\n"), (1, 2, 3), feed="adt"),
    "HL7 batches in one file": lambda: Format(PARTED, PARTED.replace(b"\r", b"\n"), (1, 2, 3), feed="adt"),
    "workbook": lambda: Format(write_sheet(200), write_sheet(200) + b"\n"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats_cut_at_every_byte(practice: Practice, tmp_path: Path, name: str) -> None:
    add_feed(practice.rt, "lakeside", feed_id="adt", actor=OPERATOR)
    given = FORMATS[name]()
    judge = become_judge(practice, tmp_path, given.whole, given.again, feed=given.feed, **(given.upload or {}))
    size = len(given.whole)
    assert judge.judge(given.whole).verdict is Verdict.ACCEPTED
    assert judge.find_accepted(given.whole, range(1, size)) == {size - lost for lost in given.may_lose}


# The verbs that a sender and a night really use


CUT_BEHIND = (
    0,
    1,
    2,
    500,
    1_399,
    1_400,
    1_401,
    1_799,
    1_800,
    1_801,
    1_900,
    1_959,
    1_960,
    1_961,
    1_980,
    *range(1_990, 2_001),
)
"""Rows after which the file ends: around each limit of its length, and the last ten."""


@pytest.fixture
def impatient(practice: Practice) -> Practice:
    """Two thousand patients at DPC, whose feed counts its rows and lets go whom it leaves out once."""
    set_feed(practice.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    practice.name_practitioners()
    assert practice.deliver(write_counted(ROWS)).state == "accepted"
    assert practice.apply_all().state == "applied"
    return practice


def write_counted(n: int) -> bytes:
    """A roster of n patients that says how many they are."""
    return write_roster({ADA: range(0, n, 2), BRUNO: range(1, n, 2)}) + f"Total,{n}\r\n".encode()


def list_cuts(whole: bytes) -> list[int]:
    """Where the file is cut: behind certain rows, in its trailer and, by lot, inside of rows."""
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    anywhere = random.Random(20260302).sample(range(1, len(whole) - 20), 10)
    return [*(ends[rows] for rows in CUT_BEHIND), *range(len(whole) - 11, len(whole)), *anywhere]


def test_no_cut_file_lets_anybody_go_whichever_way_it_comes_in(impatient: Practice) -> None:
    whole = write_counted(ROWS)
    for cut in list_cuts(whole):
        delivery = impatient.deliver(whole[:cut])
        expected = {"accepted"} if cut >= len(whole) - 2 else {"held", "rejected"}
        assert delivery.state in expected, (cut, delivery.hold_code)
    assert count_wanted(impatient) == (ROWS, 0)
    assert impatient.draw() is None
    assert impatient.deliver(write_counted(ROWS - 2)).state == "accepted"  # or else nothing here would prove anything
    assert impatient.draw_some().head.counts["remove"] == 2


def test_nothing_at_all_is_no_delivery(impatient: Practice) -> None:
    with pytest.raises(UnreadableFile):
        impatient.receive(b"")
    assert impatient.draw() is None


def count_wanted(practice: Practice) -> tuple[int, int]:
    """How many patients the practice wants, and how many it has let go."""
    with practice.rt.database.begin() as connection:
        desired = load_desired(connection, practice.rt.open_keys(connection, "lakeside"), "lakeside")
    return sum(len(panel.wanted) for panel in desired), sum(len(panel.ended) for panel in desired)


# A feed that never says how many rows it has


def load(practice: Practice, n: int) -> None:
    practice.name_practitioners()
    practice.send_roster({ADA: range(n)})
    assert practice.apply_all().state == "applied"


def cut_behind(n: int, rows: int) -> bytes:
    """A roster of n patients of which only the first rows arrived."""
    return b"".join(write_roster({ADA: range(n)}).splitlines(keepends=True)[: rows + 1])


def test_without_a_count_one_file_cut_between_rows_is_taken_at_its_word_and_lets_nobody_go(practice: Practice) -> None:
    load(practice, 200)
    delivery = practice.deliver(cut_behind(200, 180))
    assert delivery.state == "accepted"
    assert practice.receive(cut_behind(200, 180)).is_new is False  # sent again it is no second witness
    assert count_wanted(practice) == (200, 0)
    assert practice.draw() is None
    assert practice.deliver(cut_behind(200, 179)).state == "held"


@pytest.mark.parametrize(
    ("rows", "let_go", "held"), [((195, 196), 4, 0), ((194, 195), 5, 0), ((194, 194), 6, 6), ((182, 181), 18, 18)]
)
def test_without_a_count_a_second_cut_file_lets_go_whom_both_lack_and_more_than_five_wait(
    practice: Practice, rows: tuple[int, int], let_go: int, held: int
) -> None:
    """What absences cannot see: five patients at most, and only in a plan that somebody signs."""
    load(practice, 200)
    first, second = (cut_behind(200, n) for n in rows)
    for content in (first, second + b"\r\n"):
        assert practice.deliver(content).state == "accepted"
    assert count_wanted(practice) == (200 - let_go, let_go)
    plan = practice.draw_some()
    assert (plan.head.counts["remove"], plan.head.held_n) == (let_go - held, held)
    assert [hold.rule for hold in plan.holds] == (["removals-per-organization"] if held else [])


def test_a_feed_that_is_told_to_count_does_not_have_that_gap(practice: Practice) -> None:
    load(practice, 200)
    set_feed(practice.rt, "lakeside", "ehr", {"expects_count": True}, OPERATOR)
    for rows in (199, 198):
        delivery = practice.deliver(cut_behind(200, rows))
        assert (delivery.state, delivery.hold_code) == ("held", "count_missing")
    assert practice.draw() is None


# At night


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_a_hundred_thousand_rows_cut_between_rows_and_anywhere(practice: Practice, tmp_path: Path) -> None:
    whole = write_pairs(100_000)
    judge = become_judge(practice, tmp_path, whole, whole + b"\n")
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    dice = random.Random(20260302)
    cuts = {*ends[:-1:200], *ends[-200:-1], *dice.sample(range(1, len(whole) - 1), 2_000)}
    assert judge.find_accepted(whole, sorted(cuts)) == set()
