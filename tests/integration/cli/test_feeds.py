"""`rollcall feed`: every setting is an option, a change changes what it names, a person chooses the columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.domain.feeds import SETTING_NAMES
from service.workflows.check import FEED_KEYS

ODD = "Member Number,Clinic,Rendering NPI\n1S70R00AA00,North,3990000002\n1S70R00AA01,North,3990000010\n"
OPTIONS = (
    "--practitioner 3990000002 --practitioner 3990000010 --encoding windows-1252 --expected-every 7d --expects-count"
    " --shares-patients --min-rows 40 --rows-down-percent 15 --rows-up-percent 30 --rejected-percent 2"
    " --max-removals 25 --max-removal-percent 10"
)
EVERY_SETTING = OPTIONS.split()
DEFAULTS: dict[str, Any] = {
    "column_mapping": {},
    "header_hash": None,
    "encoding": None,
    "practitioners": [],
    "expected_every_hours": None,
    "expects_count": False,
    "shares_patients": False,
    "min_rows": 0,
    "rows_down_percent": 10,
    "rows_up_percent": 25,
    "rejected_percent": 1,
    "max_removals": None,
    "max_removal_percent": None,
}


@pytest.fixture
def lakeside(fresh: Any) -> Any:
    """A terminal with an organisation that has one snapshot feed and is connected to nothing."""
    fresh.run("org", "add", "lakeside", "--name", "Lakeside", "--npi", "3999999998")
    fresh.run("feed", "add", "ehr", "--org", "lakeside", "--mode", "snapshot")
    return fresh


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    """A file whose patients stand under a heading that could be anything."""
    path = tmp_path / "members.csv"
    path.write_text(ODD, encoding="utf-8")
    return path


def read_facts(terminal: Any, kind: str) -> list[Any]:
    """The bodies of the ledger's facts of one kind, as they stand in the database."""
    from service.runtime import build_runtime
    from service.settings import load_settings
    from service.workflows.prove import find_ledger_entries

    with build_runtime(load_settings(terminal.environ)) as rt:
        return [entry.body for entry in find_ledger_entries(rt, "lakeside") if entry.kind == kind]


def test_a_feed_can_be_added_with_every_setting_and_shows_them_all(lakeside: Any) -> None:
    added = lakeside.ask("feed", "add", "desk", "--org", "lakeside", *EVERY_SETTING, "--map", "mbi=Member Number")
    assert added["settings"] == {
        "column_mapping": {"mbi": "Member Number"},
        "header_hash": None,
        "encoding": "windows-1252",
        "practitioners": ["3990000002", "3990000010"],
        "expected_every_hours": 168,
        "expects_count": True,
        "shares_patients": True,
        "min_rows": 40,
        "rows_down_percent": 15,
        "rows_up_percent": 30,
        "rejected_percent": 2,
        "max_removals": 25,
        "max_removal_percent": 10,
    }
    assert lakeside.ask("feed", "show", "desk", "--org", "lakeside") == added
    assert lakeside.ask("feed", "list", "--org", "lakeside")[0] == added
    recorded = {fact["feed"]: fact["settings"] for fact in read_facts(lakeside, "feed-added")}
    given = {name: value for name, value in added["settings"].items() if value != DEFAULTS[name]}
    assert recorded == {"ehr": {}, "desk": given}


def test_every_setting_is_an_option_and_can_be_cleared(lakeside: Any) -> None:
    assert set(DEFAULTS) == set(SETTING_NAMES)
    words = lakeside.run("feed", "set", "--help").stdout
    assert [name for name in SETTING_NAMES if name.replace("_", "-") not in "".join(words.split())] == []


def test_a_feed_without_settings_has_every_default(lakeside: Any) -> None:
    assert lakeside.ask("feed", "show", "ehr", "--org", "lakeside")["settings"] == DEFAULTS


def test_a_change_changes_what_it_names_and_is_recorded_with_old_and_new(lakeside: Any) -> None:
    lakeside.run("feed", "set", "ehr", "--org", "lakeside", *EVERY_SETTING)
    before = lakeside.ask("feed", "show", "ehr", "--org", "lakeside")
    changed = lakeside.ask("feed", "set", "ehr", "--org", "lakeside", "--absences", "3", "--min-rows", "50")
    assert changed == before | {"absences_before_removal": 3, "settings": before["settings"] | {"min_rows": 50}}
    assert read_facts(lakeside, "feed-changed")[-1] == {
        "feed": "ehr",
        "changes": {"absences_before_removal": {"old": 2, "new": 3}, "min_rows": {"old": 40, "new": 50}},
    }


def test_a_change_to_what_is_so_already_is_not_recorded_again(lakeside: Any) -> None:
    for _ in range(2):
        lakeside.run("feed", "set", "ehr", "--org", "lakeside", "--expected-every", "24h")
    assert len(read_facts(lakeside, "feed-changed")) == 1


def test_what_is_cleared_has_its_default_again(lakeside: Any) -> None:
    lakeside.run("feed", "set", "ehr", "--org", "lakeside", *EVERY_SETTING)
    names = [name.replace("_", "-") for name in DEFAULTS]
    cleared = [word for name in names for word in ("--clear", name)]
    assert lakeside.ask("feed", "set", "ehr", "--org", "lakeside", *cleared)["settings"] == DEFAULTS


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        (["--rows-down-percent", "31"], "from 1 to 30"),
        (["--rejected-percent", "6"], "from 0 to 5"),
        (["--practitioner", "3990000003"], "right check digit"),
        (["--expected-every", "1000d"], "from 1 to 2160"),
        (["--expected-every", "soon"], "24h or 7d"),
        (["--map", "shoe=Size"], "mbi, npi"),
        (["--map", "mbi=1S70R00AA00"], "without the patient's number"),
        (["--map", "mbi=987654329A"], "without the patient's number"),
        (["--map", "mbi=Who", "--map", "npi=who"], "a heading of its own"),
        (["--encoding", "ebcdic"], "windows-1252"),
        (["--absences", "11"], "from 1 to 10"),
        (["--min-rows", "5", "--clear", "min-rows"], "choose one"),
        ([], "--help"),
    ],
)
def test_a_refusal_says_what_is_allowed(lakeside: Any, options: list[str], allowed: str) -> None:
    before = lakeside.ask("feed", "show", "ehr", "--org", "lakeside")
    said = lakeside.run("feed", "set", "ehr", "--org", "lakeside", *options, code=2).stderr
    assert allowed in " ".join(said.split())
    assert lakeside.ask("feed", "show", "ehr", "--org", "lakeside") == before


def test_a_feed_that_does_not_exist_is_refused_with_the_way_to_the_list(lakeside: Any) -> None:
    for verb in (["show", "none"], ["set", "none", "--min-rows", "1"]):
        assert "rollcall feed list --org lakeside" in lakeside.run("feed", *verb, "--org", "lakeside", code=12).stderr


def test_a_feed_is_shown_in_sentences(lakeside: Any) -> None:
    lakeside.run("feed", "set", "ehr", "--org", "lakeside", "--max-removals", "25", "--expected-every", "7d")
    shown = " ".join(lakeside.run("feed", "show", "ehr", "--org", "lakeside").stdout.split())
    assert "only after 2 snapshots in a row without them" in shown
    assert "more than 25 patients" in shown and "every 7 days" in shown and "nothing yet" in shown


def test_the_headings_of_a_file_are_numbered_and_say_what_they_are_taken_for(lakeside: Any, roster: Path) -> None:
    view = lakeside.ask("feed", "map", "ehr", "--org", "lakeside", "--file", str(roster))
    assert [(one["number"], one["heading"], one["roles"]) for one in view["headings"]] == [
        (1, "Member Number", []),
        (2, "Clinic", []),
        (3, "Rendering NPI", ["npi"]),
    ]
    assert view["missing"] == ["mbi"]
    text = lakeside.run("feed", "map", "ehr", "--org", "lakeside", "--file", str(roster)).stdout
    assert "Member Number" in text and "--map mbi=" in text and "1S70" not in text
    assert lakeside.ask("feed", "show", "ehr", "--org", "lakeside")["settings"] == DEFAULTS


def test_columns_chosen_from_a_stored_delivery_are_kept_with_its_header(lakeside: Any, roster: Path) -> None:
    told = lakeside.run("receive", str(roster), "--org", "lakeside", "--feed", "ehr", code=12).stdout
    assert "If it has headings, say which column is what: rollcall feed map ehr --delivery 1" in told
    chosen = ("feed", "map", "ehr", "--org", "lakeside", "--delivery", "1", "--map", "mbi=member number")
    assert "1S70" not in lakeside.run(*chosen[:7]).output
    settings = lakeside.ask(*chosen)["settings"]
    assert settings["column_mapping"] == {"mbi": "member number"} and len(settings["header_hash"]) == 64
    view = lakeside.ask("feed", "map", "ehr", "--org", "lakeside", "--delivery", "1")
    assert view["headings"][0]["roles"] == ["mbi"] and view["missing"] == []
    config = roster.with_name("feed.json")
    config.write_text(lakeside.run("feed", "show", "ehr", "--org", "lakeside", "--format", "json").stdout)
    assert len(lakeside.ask("check", str(roster), "--feed-config", str(config))["present"]) == 2
    swapped = roster.with_name("swapped.csv")
    swapped.write_text(ODD.replace("Member Number,Clinic", "Clinic,Member Number"), encoding="utf-8")
    result = lakeside.ask("check", str(swapped), "--feed-config", str(config), code=12)
    assert result["file_error"] == "header_changed"


def test_without_its_mapping_the_header_means_nothing(lakeside: Any, roster: Path) -> None:
    lakeside.run("feed", "map", "ehr", "--org", "lakeside", "--file", str(roster), "--map", "mbi=Member Number")
    cleared = lakeside.ask("feed", "set", "ehr", "--org", "lakeside", "--clear", "column-mapping")
    assert cleared["settings"] == DEFAULTS


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["mbi=Shoe Size"], "is not in the file"),
        (["first_name=Clinic"], "No column is taken for mbi"),
        (["mbi=Member Number", "npi=Twice"], "more than once"),
        (["mbi=SSN"], "a number of another kind"),
    ],
)
def test_a_heading_that_cannot_be_the_one_is_refused(
    lakeside: Any, tmp_path: Path, chosen: list[str], said: str
) -> None:
    file = tmp_path / "twice.csv"
    row = "1S70R00AA00,North,3990000002,x,y,123456789"
    file.write_text(f"Member Number,Clinic,Rendering NPI,Twice,Twice,SSN\n{row}\n", encoding="utf-8")
    options = [word for one in chosen for word in ("--map", one)]
    refused = lakeside.run("feed", "map", "ehr", "--org", "lakeside", "--file", str(file), *options, code=2)
    assert said in refused.stderr
    assert lakeside.ask("feed", "show", "ehr", "--org", "lakeside")["settings"] == DEFAULTS


def test_columns_are_chosen_from_a_file_of_the_same_feed_that_has_headings(
    lakeside: Any, roster: Path, tmp_path: Path
) -> None:
    lakeside.run("feed", "add", "desk", "--org", "lakeside")
    lakeside.run("receive", str(roster), "--org", "lakeside", "--feed", "desk", code=12)
    said = lakeside.run("feed", "map", "ehr", "--org", "lakeside", "--delivery", "1", code=2).stderr
    assert "came from the feed desk" in said
    bare = tmp_path / "bare.csv"
    bare.write_text("1S70R00AA00,3990000002\n1S70R00AA01,3990000010\n", encoding="utf-8")
    refused = lakeside.run("feed", "map", "ehr", "--org", "lakeside", "--file", str(bare), code=12)
    assert "No headings" in refused.stderr and "1S70" not in refused.output
    lakeside.run("feed", "map", "ehr", "--org", "lakeside", code=2)


def test_check_takes_what_show_prints_and_refuses_what_a_feed_has_not(lakeside: Any, roster: Path) -> None:
    shown = lakeside.ask("feed", "show", "ehr", "--org", "lakeside")
    assert set(shown) == FEED_KEYS
    config = roster.with_name("feed.json")
    config.write_text(json.dumps(shown | {"environment": "production"}), encoding="utf-8")
    real = roster.with_name("real.csv")
    real.write_text(ODD.replace("Member Number", "MBI"), encoding="utf-8")
    result = lakeside.ask("check", str(real), "--feed-config", str(config))
    assert {code for _, code in result["errors"]} == {"mbi_synthetic_in_production"}
    sandbox = lakeside.ask("check", str(real), "--feed-config", str(config), "--environment", "sandbox")
    assert len(sandbox["present"]) == 2
    config.write_text(json.dumps(shown | {"settings": {"force": True}}), encoding="utf-8")
    assert "force" in lakeside.run("check", str(real), "--feed-config", str(config), code=2).stderr


def test_a_feed_is_added_for_its_organisation_s_environment_only(lakeside: Any) -> None:
    add = ("feed", "add", "desk", "--org", "lakeside", "--environment")
    assert "that of its organisation, sandbox" in lakeside.run(*add, "production", code=2).stderr
    assert lakeside.ask(*add, "sandbox")["environment"] == "sandbox"
    assert "sandbox" in lakeside.run("feed", "show", "desk", "--org", "lakeside").stdout
