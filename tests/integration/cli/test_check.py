"""`rollcall check`: one file, no settings, no database, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from service.cli.demo_data import build_rosters

KEYS = """format mode_signal file_error present remove mbi_changes errors warnings protected_mbis blind_errors"""
ROSTER = "MBI,NPI\n1S70-R00-AA00,3990000002\n1S70R00AA01,3990000010\n"


def save(folder: Path, text: str, name: str = "roster.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_json_has_exactly_the_promised_keys(bare: Any, tmp_path: Path) -> None:
    result = bare.ask("check", save(tmp_path, ROSTER))
    assert list(result) == KEYS.split()
    assert result["format"] == "csv"
    assert result["present"] == [["1S70R00AA00", "3990000002"], ["1S70R00AA01", "3990000010"]]
    assert result["errors"] == []


def test_findings_are_positions_and_codes(bare: Any, tmp_path: Path) -> None:
    result = bare.ask("check", save(tmp_path, ROSTER + "1S7OR00AA02,3990000002\n"))
    assert result["errors"] == [[4, "mbi_format"]]
    assert result["blind_errors"] == 1


def test_a_file_that_is_refused_whole_ends_with_12(bare: Any, tmp_path: Path) -> None:
    assert bare.ask("check", save(tmp_path, "a,b,c\n1,2,3\n"), code=12)["file_error"] == "header_unrecognised"


def test_text_shows_no_mbi(bare: Any, tmp_path: Path) -> None:
    text = bare.run("check", save(tmp_path, ROSTER)).stdout
    assert "1S70" not in text
    assert "present" in text


def test_the_environment_decides_which_numbers_are_allowed(bare: Any, tmp_path: Path) -> None:
    result = bare.ask("check", save(tmp_path, ROSTER), "--environment", "production")
    assert {code for _, code in result["errors"]} == {"mbi_synthetic_in_production"}


def test_a_feed_configuration_maps_columns(bare: Any, tmp_path: Path) -> None:
    roster = save(tmp_path, "Member No,NPI\n1S70R00AA00,3990000002\n")
    config = save(tmp_path, json.dumps({"column_mapping": {"mbi": "Member No"}}), "feed.json")
    assert bare.ask("check", roster, "--feed-config", config)["present"] == [["1S70R00AA00", "3990000002"]]


def test_an_unknown_key_of_a_feed_configuration_is_wrong_use(bare: Any, tmp_path: Path) -> None:
    config = save(tmp_path, json.dumps({"force": True}), "feed.json")
    assert "force" in bare.run("check", save(tmp_path, ROSTER), "--feed-config", config, code=2).stderr


def test_a_file_that_is_not_there_is_wrong_use(bare: Any, tmp_path: Path) -> None:
    bare.run("check", str(tmp_path / "nothing.csv"), code=2)


def test_the_sample_rosters_are_what_the_generator_writes() -> None:
    folder = Path(__file__).resolve().parents[3] / "sample_rosters"
    written = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    assert written == {file.name: file.body for file in build_rosters()}


def test_the_readme_of_the_sample_rosters_names_every_file() -> None:
    text = (Path(__file__).resolve().parents[3] / "sample_rosters" / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in build_rosters() if file.name not in text] == []


def test_the_first_sample_has_four_findings_and_the_last_breaks_off(bare: Any, tmp_path: Path) -> None:
    files = {file.name[:2]: file for file in build_rosters()}
    paths = {}
    for key, file in files.items():
        paths[key] = tmp_path / file.name
        paths[key].write_bytes(file.body)
    first = bare.ask("check", str(paths["01"]))
    assert sorted(code for _, code in first["errors"] + first["warnings"]) == [
        "duplicate_row",
        "mbi_format",
        "mbi_length",
        "npi_scientific",
    ]
    assert len(first["present"]) == 100
    assert bare.ask("check", str(paths["06"]), code=12)["file_error"] == "truncated"
    assert bare.ask("check", str(paths["05"]))["mode_signal"] == "delta"
