"""What people and scripts read when something goes wrong."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from service.workflows.set_up import new_settings


def read_error(text: str) -> dict[str, str]:
    error: dict[str, str] = json.loads(text)["error"]
    assert set(error) == {"code", "message", "next_action"}
    return error


def test_wrong_settings_are_all_named_at_once_and_end_with_15(bare: Any) -> None:
    result = bare.run("org", "list", code=15)
    for name in ("MASTER_KEY", "INDEX_KEY", "CHECKPOINT_KEY", "SECRET_KEY"):
        assert f"ROLLCALL_{name}" in result.stderr
    assert "Next: " in result.stderr
    assert result.stdout == ""


def test_wrong_settings_are_a_json_error_for_scripts(bare: Any) -> None:
    error = read_error(bare.run("org", "list", "--format", "json", code=15).stderr)
    assert error["code"] == "settings_wrong"
    assert "ROLLCALL_MASTER_KEY" in error["message"]


def test_the_doctor_explains_each_wrong_setting_and_ends_with_15(bare: Any) -> None:
    checks = bare.ask("doctor", code=15)["checks"]
    assert len([check for check in checks if not check["ok"]]) >= 4
    assert all(check["next_action"] for check in checks if "MASTER_KEY" in check["detail"])


def test_a_refusal_says_what_to_do_next(fresh: Any) -> None:
    result = fresh.run("org", "show", "nowhere", code=12)
    message, action = result.stderr.splitlines()
    assert message
    assert action.startswith("Next: ")


def test_a_refusal_is_a_json_error_for_scripts(fresh: Any) -> None:
    assert read_error(fresh.run("org", "show", "nowhere", "--format", "json", code=12).stderr)["code"] == "not_found"


def test_wrong_use_is_a_json_error_for_scripts_too(fresh: Any) -> None:
    assert read_error(fresh.run("reconcile", "--format", "json", code=2).stderr)["code"] == "usage"


def test_an_unreachable_dpc_ends_with_13(tmp_path: Path, fresh: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{taken.getsockname()[1]}"
        fresh.run("org", "add", "lakeside", "--name", "Lakeside", "--npi", "3999999998")
        error = read_error(
            fresh.run("org", "connect", "lakeside", "--emulator", origin, "--format", "json", code=13).stderr
        )
    assert error["code"] == "dpc_unavailable"


def test_what_nobody_foresaw_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from jobs.entry import cli
    from service.cli.door import Door

    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    environ = new_settings(tmp_path / "file" / "data")
    result = CliRunner().invoke(cli, ["org", "list"], obj=Door(environ))
    assert result.exit_code == 1
    assert "unexpected" in result.stderr
    assert "Traceback" not in result.output
    assert str(tmp_path) not in result.output


@pytest.mark.parametrize("verb", [["user", "add", "a@b.example", "--org", "x", "--name", "A", "--role", "attester"]])
def test_nothing_is_asked_where_nobody_can_answer(fresh: Any, verb: list[str]) -> None:
    assert "--password-file" in fresh.run(*verb, code=2).stderr
