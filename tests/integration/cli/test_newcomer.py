"""What a newcomer runs into: names that do not exist, addresses that are taken, files that are no such thing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from service.workflows.set_up import new_settings

ABOUT_ONE_ORGANIZATION = [
    ("keys", "list"),
    ("feed", "list"),
    ("delivery", "list"),
    ("delivery", "show", "1"),
    ("plan",),
    ("plan", "list"),
    ("plan", "show", "1"),
    ("hold", "list"),
    ("settle",),
    ("sweep",),
    ("revoke",),
    ("report", "holds"),
    ("ledger", "verify"),
    ("ledger", "checkpoint"),
    ("client", "add", "ehr"),
    ("explain", "--npi", "3990000002", "--mbi", "1S00E00AA00"),
]


@pytest.mark.parametrize("verb", ABOUT_ONE_ORGANIZATION, ids=" ".join)
def test_an_organisation_that_does_not_exist_is_never_taken_for_an_empty_one(fresh: Any, verb: tuple[str, ...]) -> None:
    result = fresh.run(*verb, "--org", "nowhere", code=12)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "There is no such organisation.",
        "Next: See which there are: rollcall org list.",
    ]


def test_a_delivery_is_named_by_its_number_as_lists_show_it(practice: Any) -> None:
    received = practice.receive("00")
    assert received["number"] == 1
    shown = practice.terminal.ask("delivery", "show", "1", "--org", "lakeside")
    assert shown["delivery"]["id"] == received["id"]
    practice.terminal.run("delivery", "show", "2", "--org", "lakeside", code=12)


def test_the_pages_do_not_start_on_a_database_that_was_never_migrated(tmp_path: Path, bare: Any) -> None:
    bare.environ.update(new_settings(tmp_path / "data"))
    assert "Next: Run: rollcall migrate" in bare.run("serve", code=12).stderr
    assert not (tmp_path / "data").exists()


def test_an_address_that_is_taken_is_told_in_a_sentence_by_the_pages_and_by_the_emulator(fresh: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for verb in ("serve", "emulator"):
            message, action = fresh.run(verb, "--port", port, code=12).stderr.splitlines()
            assert port in message and action.startswith("Next: Choose another one with --port")


@pytest.mark.parametrize("is_there", [True, False])
def test_an_emulator_says_that_its_data_file_cannot_be_used(tmp_path: Path, bare: Any, is_there: bool) -> None:
    data = tmp_path / ("a.db" if is_there else "missing/a.db")
    if is_there:
        data.write_text("no database at all, but long enough to be looked at as one" * 9)
    result = bare.run("emulator", "--port", "0", "--data", str(data), code=12)
    assert "its data file cannot be used" in result.stderr and "Next: " in result.stderr


def test_checking_a_file_tells_what_to_do_about_it_and_about_each_row(tmp_path: Path, bare: Any) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    lines = bare.run("check", str(empty), code=12).stdout.splitlines()
    assert lines[1:] == [
        "The file would be refused whole: header_unrecognised.",
        "Next: No row of the first twenty names both an MBI and an NPI column; add headings.",
    ]
    rows = tmp_path / "rows.csv"
    rows.write_text("MBI,NPI\n1S00E00AA0O,3990000002\n")
    assert "often O for 0; correct it" in bare.run("check", str(rows)).stdout


def test_an_authorisation_for_something_that_is_no_npi_is_refused(practice: Any) -> None:
    signed = ("authorize", "--org", "lakeside", "--days", "3", "--as", "officer@lakeside.example", "--reason", "trial")
    assert "12" in practice.terminal.run(*signed, "--npi", "12", code=2).stderr
    given = practice.terminal.run(*signed, "--npi", "3990000002").stdout
    assert "It covers nothing yet" in given and "rollcall org set --approval standing lakeside" in given


def test_the_doctor_tells_what_to_do_about_a_missing_key_and_about_a_name_that_is_no_setting(bare: Any) -> None:
    bare.environ["ROLLCALL_MASTERKEY"] = "x"
    checks = bare.ask("doctor", code=15)["checks"]
    actions = {check["detail"].split(" ")[0]: check["next_action"] for check in checks}
    assert "rollcall settings new" in actions["ROLLCALL_MASTER_KEY"]
    assert actions["ROLLCALL_MASTERKEY"].startswith("Take it out") and "MASTER_KEY" in actions["ROLLCALL_MASTERKEY"]


def test_the_doctor_tells_which_clock_is_followed(fresh: Any) -> None:
    (clock,) = [check for check in fresh.ask("doctor")["checks"] if check["name"] == "clock"]
    assert clock["ok"] and clock["detail"].startswith("this machine's: 20")


def test_the_doctor_tells_when_the_clock_that_is_followed_has_stopped(fresh: Any) -> None:
    with socket.socket() as never_listens:
        never_listens.bind(("127.0.0.1", 0))
        port = never_listens.getsockname()[1]
        fresh.environ["ROLLCALL_CLOCK"] = f"emulator:http://127.0.0.1:{port}"
        (clock,) = [c for c in fresh.ask("doctor", code=13)["checks"] if c["name"] == "clock"]
        assert not clock["ok"] and "rollcall emulator" in clock["next_action"]


@pytest.mark.parametrize("name", ["MASTER_KEY", "INDEX_KEY", "CHECKPOINT_KEY"])
def test_each_key_that_is_not_the_one_of_the_database_is_found_before_anything_is_written(
    practice: Any, name: str
) -> None:
    practice.receive("01")
    practice.terminal.run("ledger", "checkpoint", "--org", "lakeside")
    others = new_settings(Path("unused"))
    stranger = type(practice.terminal)({**practice.terminal.environ, f"ROLLCALL_{name}": others[f"ROLLCALL_{name}"]})
    checks = {check["name"]: check for check in stranger.ask("doctor", code=12)["checks"]}
    assert not checks["keys"]["ok"] and "keys in the settings" in checks["keys"]["next_action"]
    for verb in ("serve", "jobs"):
        assert "keys in the settings" in stranger.run(verb, code=12).stderr
    if name != "CHECKPOINT_KEY":
        roster = str(practice.files["02"])
        stranger.run("receive", roster, "--org", "lakeside", "--feed", "ehr-daily", code=15)
