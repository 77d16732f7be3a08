"""`rollcall settings new`: a first environment that works, readable by its owner only."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

from service.settings import load_settings


def test_what_is_printed_can_be_loaded(bare: Any, tmp_path: Path) -> None:
    lines = bare.run("settings", "new", "--data-dir", str(tmp_path / "data")).stdout.splitlines()
    settings = load_settings(dict(line.split("=", 1) for line in lines))
    assert settings.data_dir == tmp_path / "data"


def test_two_sets_share_no_key(bare: Any) -> None:
    first, second = bare.ask("settings", "new"), bare.ask("settings", "new")
    assert not {v for k, v in first.items() if k.endswith("KEY")} & {v for k, v in second.items() if k.endswith("KEY")}


def test_a_file_is_written_for_its_owner_only_and_a_shell_reads_it_back(bare: Any, tmp_path: Path) -> None:
    file, data = tmp_path / "my env", tmp_path / "data of ours"
    bare.run("settings", "new", "--data-dir", str(data), "-o", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    script = f'set -a; . "{file}"; printf %s "$ROLLCALL_DATA_DIR"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == str(data)


def test_a_file_that_exists_is_never_overwritten(bare: Any, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("precious", encoding="utf-8")
    bare.run("settings", "new", "-o", str(file), code=2)
    assert file.read_text(encoding="utf-8") == "precious"
