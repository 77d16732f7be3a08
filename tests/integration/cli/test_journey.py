"""A practice by hand, verb by verb, from the first roster to proof; the tests of this file go on from one another."""

from __future__ import annotations

import csv
import io
import sqlite3
from typing import Any

OFFICER = "officer@lakeside.example"


def test_what_was_set_up_is_listed(practice: Any) -> None:
    terminal = practice.terminal
    assert [org["id"] for org in terminal.ask("org", "list")] == ["lakeside"]
    assert terminal.ask("org", "show", "lakeside")["base_url"] == practice.emulator.v1_url
    assert [feed["mode"] for feed in terminal.ask("feed", "list", "--org", "lakeside")] == ["snapshot"]
    keys = terminal.ask("keys", "list", "--org", "lakeside")
    assert len(keys) == 1
    assert keys[0]["kid"]
    assert "private" not in str(keys).lower()


def test_the_snippet_of_the_key_is_signed_for_the_portal(practice: Any) -> None:
    signature = practice.terminal.ask("keys", "sign-snippet", "--org", "lakeside")["signature"]
    assert signature == practice.terminal.ask("keys", "list", "--org", "lakeside")[0]["signature"]


def test_the_doctor_finds_everything_well(practice: Any) -> None:
    health = practice.terminal.ask("doctor")
    assert health["ok"] is True
    assert all(check["ok"] for check in health["checks"])


def test_before_any_roster_there_is_nothing_to_do(practice: Any) -> None:
    assert practice.terminal.ask("reconcile", "--org", "lakeside", "--dry-run")["outcome"] == "nothing"
    assert "Nothing to do" in practice.terminal.run("plan", "--org", "lakeside").stdout


def test_settings_of_the_organisation_and_feed_are_changed(practice: Any) -> None:
    terminal = practice.terminal
    assert terminal.ask("org", "set", "lakeside", "--patient-limit", "1350")["patient_limit"] == 1350
    assert (
        terminal.ask("feed", "set", "ehr-daily", "--org", "lakeside", "--absences", "2")["absences_before_removal"] == 2
    )
    terminal.run("org", "set", "lakeside", code=2)
    terminal.run("org", "set", "lakeside", "--time-zone", "Mars/Olympus", code=2)


def test_a_roster_is_received_read_and_accepted(practice: Any) -> None:
    assert practice.receive("00")["state"] == "accepted"
    delivery = practice.receive("01")
    assert (delivery["state"], delivery["present_count"], delivery["error_count"]) == ("accepted", 10, 3)
    shown = practice.terminal.ask("delivery", "show", delivery["id"], "--org", "lakeside")
    assert shown["counts"] == {"duplicate_row": 1, "mbi_format": 1, "mbi_length": 1, "npi_scientific": 1}
    assert "1S7" not in str(shown)


def test_the_same_file_again_is_taken_once(practice: Any) -> None:
    before = practice.terminal.ask("delivery", "list", "--org", "lakeside")
    practice.receive("01")
    assert practice.terminal.ask("delivery", "list", "--org", "lakeside") == before


def test_a_dry_run_ends_with_10_and_changes_nothing_at_dpc(practice: Any) -> None:
    report = practice.terminal.ask("reconcile", "--org", "lakeside", "--dry-run", code=10)
    assert report["outcome"] == "planned"
    kinds = ("/Group", "/Patient", "/Practitioner")
    methods = {
        entry["method"] for entry in practice.emulator.log() if entry["path"].partition("/v1")[2].startswith(kinds)
    }
    assert methods == {"GET"}


def test_a_plan_is_drawn_once_and_shown_in_every_form(practice: Any) -> None:
    terminal = practice.terminal
    drawn = terminal.ask("plan", "--org", "lakeside", code=10)
    plan = drawn["head"]["id"]
    assert drawn["head"]["counts"]["create"] == 2
    assert terminal.ask("plan", "--org", "lakeside", code=10)["head"]["id"] == plan
    assert [item["plan"]["id"] for item in terminal.ask("plan", "list", "--org", "lakeside")] == [plan]
    text = terminal.run("plan", "show", plan).stdout
    assert drawn["head"]["fingerprint"] in text
    assert terminal.run("plan", "show", str(drawn["head"]["number"])).stdout == text
    assert terminal.run("plan", "show", plan, "--format", "markdown").stdout.startswith("# Plan 1")
    assert terminal.run("plan", "show", plan, "--format", "html").stdout.startswith("<!doctype html>")
    rows = list(csv.DictReader(io.StringIO(terminal.run("plan", "show", plan, "--format", "csv").stdout)))
    assert sum(row["change"] in ("create", "add") for row in rows) == 10
    everything = text + str(rows) + str(drawn)
    assert "1S70" not in everything


def test_one_practitioner_can_be_planned_alone(practice: Any) -> None:
    drawn = practice.terminal.ask("plan", "--org", "lakeside", "--npi", "3990000002", code=10)
    assert {panel["npi"] for panel in drawn["practitioners"] if panel["npi"]} == {"3990000002"}


def test_an_unsigned_plan_is_not_applied_and_waits_for_a_person(practice: Any) -> None:
    terminal = practice.terminal
    plan = terminal.ask("reconcile", "--org", "lakeside", code=11)["plan_id"]
    terminal.run("apply", plan, code=12)


def test_only_an_attester_signs_and_only_what_was_shown(practice: Any) -> None:
    terminal = practice.terminal
    plan = terminal.ask("plan", "--org", "lakeside", code=10)["head"]["id"]
    reason = ("--reason", "read with the front desk")
    terminal.run("sign", plan, "--as", "desk@lakeside.example", *reason, code=12)
    terminal.run("sign", plan, "--as", "nobody@lakeside.example", *reason, code=12)
    terminal.run("sign", plan, "--as", OFFICER, *reason, "--fingerprint", "0" * 64, code=12)
    assert terminal.ask("sign", plan, "--as", OFFICER, *reason)["state"] == "signed"
    terminal.run("sign", plan, "--as", OFFICER, *reason, code=12)


def test_the_signed_plan_is_applied_and_nothing_is_left(practice: Any) -> None:
    terminal = practice.terminal
    listed = [item["plan"] for item in terminal.ask("plan", "list", "--org", "lakeside")]
    (plan,) = [item["id"] for item in listed if item["state"] == "signed"]
    report = terminal.ask("apply", plan)
    assert (report["state"], report["refused"], report["ambiguous"]) == ("applied", 0, 0)
    assert terminal.ask("reconcile", "--org", "lakeside", "--dry-run")["outcome"] == "nothing"
    assert terminal.ask("reconcile", "--all") == [terminal.ask("reconcile", "--org", "lakeside")]
    assert terminal.ask("settle", "--org", "lakeside")["still_open"] == 0
    assert terminal.ask("sweep", "--org", "lakeside") == {"groups": 2, "findings": []}


def test_a_patient_is_explained_from_file_to_attestation(practice: Any) -> None:
    who = ("--org", "lakeside", "--npi", "3990000002")
    told = practice.terminal.ask("explain", *who, "--mbi", "1S70R00AA00")
    kinds = [link["kind"] for link in told["links"]]
    assert {"delivery", "plan", "sign-off", "attestation", "outcome"} <= set(kinds)
    assert "1S70R00AA00" not in str(told)
    text = practice.terminal.run("explain", *who, "--mbi", "-", typed="1S70R00AA00\n").stdout
    assert OFFICER in text
    practice.terminal.run("explain", *who, code=2)


def test_reports_are_written_as_csv_json_and_to_a_file(practice: Any, tmp_path: Any) -> None:
    terminal = practice.terminal
    rows = list(
        csv.DictReader(io.StringIO(terminal.run("report", "expiring", "--org", "lakeside", "--format", "csv").stdout))
    )
    assert len(rows) == 10
    assert len(terminal.ask("report", "expiring", "--org", "lakeside")["rows"]) == 10
    file = tmp_path / "out.csv"
    terminal.run("report", "attestations", "--org", "lakeside", "-o", str(file))
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3
    terminal.run("report", "horoscope", "--org", "lakeside", code=2)
    for kind in ("capacity", "removals", "exceptions", "holds"):
        assert terminal.ask("report", kind, "--org", "lakeside")["kind"] == kind


def test_the_ledger_verifies_and_a_checkpoint_is_signed_once_per_change(practice: Any) -> None:
    terminal = practice.terminal
    assert terminal.ask("ledger", "verify")["ok"] is True
    assert terminal.run("ledger", "checkpoint", "--org", "lakeside").stdout.startswith("rollcall/lakeside\n")
    assert "Nothing has changed" in terminal.run("ledger", "checkpoint", "--org", "lakeside").stdout


def test_a_cut_off_file_is_held_listed_and_rejected_by_a_person(practice: Any) -> None:
    terminal = practice.terminal
    delivery = practice.receive("06", code=11)
    assert delivery["state"] == "held"
    assert [hold["rule"] for hold in terminal.ask("hold", "list", "--org", "lakeside")] == ["truncated"]
    decide = ("delivery", "decide", delivery["id"], "reject", "--org", "lakeside", "--reason", "half a file")
    terminal.run(*decide, code=2)
    decided = terminal.ask(*decide, "--as", OFFICER)
    assert (decided["state"], decided["decided_by"]) == ("rejected", OFFICER)
    assert terminal.ask("hold", "list", "--org", "lakeside") == []


def test_a_hold_is_decided_by_a_person_and_only_once(practice: Any, tmp_path: Any) -> None:
    terminal = practice.terminal
    again = tmp_path / "again.csv"
    again.write_bytes(b"\n" + practice.files["06"].read_bytes())
    terminal.ask("receive", str(again), "--org", "lakeside", "--feed", "ehr-daily", code=11)
    (hold,) = terminal.ask("hold", "list", "--org", "lakeside")
    decide = ("hold", "decide", hold["id"], "refuse", "--org", "lakeside", "--as", OFFICER, "--reason", "half a file")
    assert terminal.ask(*decide)["state"] == "refused"
    terminal.run(*decide, code=12)
    refused = terminal.ask("hold", "list", "--org", "lakeside", "--state", "refused")
    assert refused[0]["id"] == hold["id"]


def test_a_standing_authorisation_is_given_listed_and_taken_back(practice: Any) -> None:
    terminal = practice.terminal
    given = terminal.ask("authorize", "--org", "lakeside", "--days", "30", "--as", OFFICER, "--reason", "weekly panels")
    terminal.run("authorize", "--org", "lakeside", "--days", "91", "--as", OFFICER, "--reason", "too long", code=2)
    terminal.run("revoke", given["id"], "--org", "lakeside", "--as", OFFICER)
    listed = terminal.ask("revoke", "--org", "lakeside")
    assert [item["revoked_at"] is not None for item in listed] == [True]


def test_a_switched_off_organisation_sends_nothing(practice: Any) -> None:
    terminal = practice.terminal
    practice.receive("02")
    plan = terminal.ask("plan", "--org", "lakeside", code=10)["head"]["id"]
    terminal.run("sign", plan, "--as", OFFICER, "--reason", "five more")
    terminal.run("org", "set", "lakeside", "--applies", "off")
    terminal.run("apply", plan, code=12)
    terminal.run("org", "set", "lakeside", "--applies", "on")
    assert terminal.ask("apply", plan)["state"] == "applied"


def test_a_key_is_rotated_and_the_new_one_works(practice: Any) -> None:
    terminal = practice.terminal
    made = terminal.ask("keys", "rotate", "--org", "lakeside", "--label", "second")
    assert made["kid"]
    assert terminal.ask("doctor")["ok"] is True


def test_a_program_gets_an_id_and_a_secret_once(practice: Any) -> None:
    made = practice.terminal.ask("client", "add", "ehr", "--org", "lakeside", "--scope", "feed:write")
    assert set(made) == {"client_id", "client_secret"}
    assert len(made["client_secret"]) >= 32


def test_a_damaged_ledger_ends_with_14(practice: Any) -> None:
    file = practice.terminal.environ["ROLLCALL_DATA_DIR"] + "/rollcall.db"
    database = sqlite3.connect(file)
    triggers = [name for (name,) in database.execute("select name from sqlite_master where type='trigger'")]
    for name in triggers:
        database.execute(f'drop trigger "{name}"')
    database.execute("update ledger_entry set leaf = cast(replace(leaf, 'a', 'b') as blob) where seq = 3")
    database.commit()
    database.close()
    practice.terminal.run("ledger", "verify", code=14)
