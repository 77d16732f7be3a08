"""`rollcall receive` and `rollcall delivery`: what a file would change, whom it would let go, and who says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from emulator_customer import build_npi

from service.domain.identifiers import mask_mbi

PRACTITIONER = "3990000002"
REVIEWER = "rhea@lakeside.example"


def write_mbi(n: int) -> str:
    return f"1S70R0{n // 100}AA{n % 100:02d}"


def write_roster(path: Path, patients: range, *, more: str = "") -> Path:
    rows = "".join(f"{write_mbi(n)},{PRACTITIONER}\n" for n in patients)
    path.write_text(f"MBI,NPI\n{rows}{more}", encoding="utf-8")
    return path


@pytest.fixture
def lakeside(fresh: Any, tmp_path: Path) -> Any:
    """An organisation with a reviewer and a feed that lets patients go at once; twenty patients are known."""
    fresh.run("org", "add", "lakeside", "--name", "Lakeside", "--npi", "3999999998")
    fresh.run("feed", "add", "ehr", "--org", "lakeside", "--mode", "snapshot", "--absences", "1")
    password = tmp_path / "password"
    password.write_text("correct horse battery staple\n", encoding="utf-8")
    person = ("--name", "Rhea Marsh", "--role", "reviewer", "--password-file", str(password))
    fresh.run("user", "add", REVIEWER, "--org", "lakeside", *person)
    receive(fresh, write_roster(tmp_path / "first.csv", range(20)))
    return fresh


def receive(terminal: Any, path: Path, *more: str, code: int = 0) -> Any:
    return terminal.ask("receive", str(path), "--org", "lakeside", "--feed", "ehr", *more, code=code)


def decide(terminal: Any, delivery: Any, verdict: str) -> Any:
    said = ("--org", "lakeside", "--as", REVIEWER, "--reason", "Called the practice.")
    return terminal.ask("delivery", "decide", str(delivery["number"]), verdict, *said)


def test_a_held_file_shows_what_it_would_change(lakeside: Any, tmp_path: Path) -> None:
    held = receive(lakeside, write_roster(tmp_path / "short.csv", range(12)), code=11)
    assert (held["state"], held["absent_count"], held["ended_count"]) == ("held", 8, 8)
    shown = lakeside.ask("delivery", "show", str(held["number"]), "--org", "lakeside")
    expected = {"npi": PRACTITIONER, "known": 20, "listed": 12, "added": 0, "absent": 8, "ended": 8}
    assert (shown["effects"], shown["effects_total"]) == ([expected], 1)
    text = lakeside.run("delivery", "show", str(held["number"]), "--org", "lakeside").stdout
    assert "8; 8 of them would be let go at once" in text and PRACTITIONER in text


def test_whom_it_would_let_go_is_listed_masked(lakeside: Any, tmp_path: Path) -> None:
    held = receive(lakeside, write_roster(tmp_path / "short.csv", range(18), more=f",{PRACTITIONER}\n"), code=11)
    assert (held["state"], held["blind_count"]) == ("accepted", 1)
    assert held["removals_reason"].startswith("1 row could be about anybody.")
    asked = ("delivery", "departures", str(held["number"]), "--org", "lakeside", "--as", REVIEWER)
    marks = {"at_once": True, "listed_elsewhere": False}
    gone = [{"npi": PRACTITIONER, "masked_mbi": mask_mbi(write_mbi(n)), **marks} for n in (18, 19)]
    assert lakeside.ask(*asked) == gone
    assert write_mbi(18) not in lakeside.run(*asked).stdout


def test_who_stays_because_another_feed_lists_them_is_told(lakeside: Any, tmp_path: Path) -> None:
    lakeside.run("feed", "add", "portal", "--org", "lakeside", "--mode", "snapshot")
    known = write_roster(tmp_path / "portal.csv", range(19))
    lakeside.run("receive", str(known), "--org", "lakeside", "--feed", "portal")
    path = write_roster(tmp_path / "short.csv", range(18), more=f",{PRACTITIONER}\n")
    held = receive(lakeside, path, code=11)
    assert (held["absent_count"], held["ended_count"]) == (2, 1)
    assert "2 are missing; 1 would be let go at once, and 1 stays because" in held["removals_reason"]
    asked = ("delivery", "departures", str(held["number"]), "--org", "lakeside", "--as", REVIEWER)
    assert [(one["at_once"], one["listed_elsewhere"]) for one in lakeside.ask(*asked)] == [(False, True), (True, False)]
    told = lakeside.run(*asked).stdout
    assert told.count("not let go: another feed lists the patient") == told.count("at once") == 1


def test_a_person_lets_them_go_and_nothing_waits_any_more(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "short.csv", range(18), more=f",{PRACTITIONER}\n")
    decided = decide(lakeside, receive(lakeside, path, code=11), "accept")
    assert (decided["state"], decided["removals_reason"]) == ("accepted", None)
    lakeside.run("delivery", "decide", str(decided["number"]), "accept", "--org", "lakeside", "--as", REVIEWER,
                 "--reason", "Again.", code=12)  # fmt: skip


def test_a_count_that_differs_holds_the_file(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "second.csv", range(20), more="\n")
    held = receive(lakeside, path, "--count", "21", code=11)
    assert (held["hold_code"], held["declared_count"]) == ("count_mismatch", 21)
    text = lakeside.run("delivery", "show", str(held["number"]), "--org", "lakeside").stdout
    assert (
        "another number of rows than was declared" in text and "decide 2 reject --org" in text and "accept|" not in text
    )


def test_only_who_may_read_rosters_sees_whom(lakeside: Any, tmp_path: Path) -> None:
    held = receive(lakeside, write_roster(tmp_path / "short.csv", range(12)), code=11)
    lakeside.run("delivery", "departures", held["id"], "--org", "lakeside", "--as", "nobody@lakeside.example", code=12)


def test_every_practitioner_whom_a_file_changes_is_listed(lakeside: Any, tmp_path: Path) -> None:
    npis = [build_npi(300000000 + place) for place in range(30)]
    rows = "".join(f"{write_mbi(100 + place)},{npi}\n" for place, npi in enumerate(npis))
    delivery = receive(lakeside, write_roster(tmp_path / "more.csv", range(20), more=rows), code=11)
    number = str(delivery["number"])
    shown = lakeside.ask("delivery", "show", number, "--org", "lakeside")
    assert (len(shown["effects"]), shown["effects_total"]) == (20, 30)
    text = lakeside.run("delivery", "show", number, "--org", "lakeside").stdout
    assert f"10 more practitioners: rollcall delivery effects {number}" in text
    assert [item["npi"] for item in lakeside.ask("delivery", "effects", number, "--org", "lakeside")] == npis
    assert len(lakeside.ask("delivery", "effects", number, "--org", "lakeside", "--limit", "3")) == 3
    assert npis[29] in lakeside.run("delivery", "effects", number, "--org", "lakeside").stdout


def test_the_question_that_is_answered_can_be_named(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "short.csv", range(18), more=f",{PRACTITIONER}\n")
    number = str(receive(lakeside, path, code=11)["number"])
    (hold,) = lakeside.ask("hold", "list", "--org", "lakeside")
    said = ("--org", "lakeside", "--as", REVIEWER, "--reason", "Called the practice.")
    lakeside.run("delivery", "decide", number, "accept", *said, "--hold", "another", code=12)
    assert lakeside.ask("delivery", "decide", number, "accept", *said, "--hold", hold["id"])["removals_reason"] is None


def test_a_refused_file_says_who_refused_it_and_comes_in_again_when_asked(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "short.csv", range(14))
    refused = decide(lakeside, receive(lakeside, path, code=11), "reject")
    number = refused["number"]
    again = ("receive", str(path), "--org", "lakeside", "--feed", "ehr")
    text = lakeside.run(*again, code=12).stdout
    assert f"The very same file came before, as delivery {number}" in text
    assert f"{REVIEWER} refused it: Called the practice." in text
    assert "rollcall receive FILE --org lakeside --feed ehr --again" in text
    taken = receive(lakeside, path, "--again", code=11)
    assert (taken["number"], taken["state"]) == (number + 1, "held")
    assert decide(lakeside, taken, "accept")["state"] == "accepted"


def test_a_reason_holds_no_number_of_a_patient(lakeside: Any, tmp_path: Path) -> None:
    number = str(receive(lakeside, write_roster(tmp_path / "short.csv", range(12)), code=11)["number"])
    said = ("--org", "lakeside", "--as", REVIEWER, "--reason", f"{write_mbi(13)} moved away")
    refused = lakeside.run("delivery", "decide", number, "reject", *said, code=2)
    assert "Say it without the patient's number" in refused.stderr and write_mbi(13) not in refused.output
    assert lakeside.ask("delivery", "show", number, "--org", "lakeside")["delivery"]["state"] == "held"


def test_the_first_of_two_yeses_says_that_another_person_must(lakeside: Any, tmp_path: Path) -> None:
    number = str(receive(lakeside, write_roster(tmp_path / "short.csv", range(8)), code=11)["number"])
    shown = lakeside.ask("delivery", "show", number, "--org", "lakeside")["delivery"]
    assert (shown["people_needed"], shown["people_agreed"]) == (2, 0)
    said = ("--org", "lakeside", "--as", REVIEWER, "--reason", "Called the practice.")
    text = lakeside.run("delivery", "decide", number, "accept", *said, code=11).stdout
    assert "One of two has said yes; another person must." in text and "1 of 2 people" in text
    assert "1 of 2 people" in lakeside.run("delivery", "show", number, "--org", "lakeside").stdout
    (hold,) = lakeside.ask("hold", "list", "--org", "lakeside")
    assert (hold["people_needed"], hold["people_agreed"]) == (2, 1)
    password = tmp_path / "password"
    other = ("--name", "Otto Lund", "--role", "reviewer", "--password-file", str(password))
    lakeside.run("user", "add", "otto@lakeside.example", "--org", "lakeside", *other)
    second = ("--org", "lakeside", "--as", "otto@lakeside.example", "--reason", "Called them too.")
    assert lakeside.ask("delivery", "decide", number, "accept", *second)["state"] == "accepted"


def test_what_waits_is_listed_whether_held_or_accepted(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "blind.csv", range(18), more=f",{PRACTITIONER}\n")
    accepted = receive(lakeside, path, code=11)["number"]
    listed = lakeside.ask("delivery", "list", "--org", "lakeside", "--waiting")
    assert [(one["number"], one["state"]) for one in listed] == [(accepted, "accepted")]
    assert len(lakeside.ask("delivery", "list", "--org", "lakeside")) == accepted


def test_the_time_of_a_file_needs_its_zone_as_over_http(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "later.csv", range(19))
    for wrong in ("2026-11-20T06:00:00", "2026-11-20", "yesterday", "0001-01-01T00:00:00+14:00"):
        refused = lakeside.run("receive", str(path), "--org", "lakeside", "--feed", "ehr", "--as-of", wrong, code=2)
        assert "must be a time with its zone" in refused.stderr and "2026-11-20T06:00:00Z" in refused.stderr
    assert len(lakeside.ask("delivery", "list", "--org", "lakeside")) == 1
    now = datetime.now(UTC).replace(microsecond=0)
    taken = receive(lakeside, path, "--as-of", now.astimezone(timezone(timedelta(hours=-5))).isoformat())
    assert taken["as_of_at"] == now.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_finding_says_whether_its_row_protects_its_patient_or_is_blind(lakeside: Any, tmp_path: Path) -> None:
    path = write_roster(tmp_path / "mixed.csv", range(20), more=f"{write_mbi(30)},12345\n,{PRACTITIONER}\n")
    number = str(receive(lakeside, path)["number"])
    found = lakeside.ask("delivery", "show", number, "--org", "lakeside")["findings"]
    assert [(one["code"], one["protects_patient"], one["is_blind"]) for one in found] == [
        ("npi_length", True, False),
        ("mbi_missing", False, True),
    ]
    lines = lakeside.run("delivery", "show", number, "--org", "lakeside").stdout.splitlines()
    assert any("protects its patient" in line and "npi_length" in line for line in lines)
    assert any("blind" in line and "mbi_missing" in line for line in lines)
