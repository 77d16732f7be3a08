"""The README tells the truth: its commands run as written, its table of settings is the code's."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTICE = (
    "This product uses the Data at the Point of Care API but is not endorsed or certified by the Centers for Medicare &"
    " Medicaid Services or the U.S. Department of Health and Human Services."
)


def find_block(name: str) -> str:
    found = re.search(rf"^```sh {name}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert found, f"the README has no block `{name}`"
    return found.group(1)


def build_environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
    return clean | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def emulator(port: int) -> Iterator[None]:
    command = find_block("emulator").replace("3002", str(port)).split()
    process = subprocess.Popen(command, env=build_environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert str(port) in process.stdout.readline()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_the_journey_by_hand_runs_as_it_is_written(tmp_path: Path, port: int, emulator: None) -> None:
    (tmp_path / "sample_rosters").symlink_to(ROOT / "sample_rosters")
    script = "set -eu\n" + find_block("journey").replace("3002", str(port))
    run = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=build_environment(), capture_output=True, text=True, timeout=180
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert (tmp_path / "data" / "rollcall.db").exists()


def test_the_patient_of_the_emulator_s_story_lapses(tmp_path: Path, port: int, emulator: None) -> None:
    script = "set -eu\n" + find_block("lapse").replace("3002", str(port))
    run = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=build_environment(), capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.split() == ['"inactive":false', '"inactive":true']


def test_every_setting_stands_in_the_readme_with_its_purpose() -> None:
    for setting in SETTINGS:
        needed = "yes" if setting.is_required else ""
        assert f"| `{setting.name}` | {needed} | {setting.purpose} |" in README


def test_the_notice_that_cms_asks_for_is_there_word_for_word() -> None:
    assert NOTICE in README


def test_every_folder_of_the_map_exists() -> None:
    for path in re.findall(r"^\| `([a-z_/]+)/`", README, flags=re.MULTILINE):
        assert (ROOT / path).is_dir(), path
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_emulator_answers_as_soon_as_it_says_so(port: int, emulator: None) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("the emulator printed its address but does not listen")
