"""A terminal with an environment of its own, an emulator behind a real socket, and a practice set up by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jobs.entry import cli
from service.cli.demo_data import RosterFile, build_rosters
from service.cli.door import Door
from service.emulator.server import Emulator, EmulatorOptions
from service.workflows.set_up import new_settings

PASSWORD = "correct horse battery staple"
OFFICER = "officer@lakeside.example"


@dataclass(frozen=True)
class Terminal:
    """Runs verbs in this process, each with a door of its own, as separate commands would."""

    environ: Mapping[str, str]

    def run(self, *args: str, code: int = 0, typed: str | None = None) -> Result:
        """Run one verb and check its exit code."""
        result = CliRunner().invoke(cli, args, obj=Door(self.environ), input=typed)
        assert result.exit_code == code, f"{args}: {result.exit_code}\n{result.output}\n{result.exception!r}"
        return result

    def ask(self, *args: str, code: int = 0) -> Any:
        """Run one verb and read the JSON it prints."""
        return json.loads(self.run(*args, "--format", "json", code=code).stdout)


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """A terminal without any settings."""
    return Terminal({})


@pytest.fixture
def fresh(tmp_path: Path) -> Terminal:
    """A terminal with good settings and a migrated, empty database."""
    terminal = Terminal(new_settings(tmp_path / "data"))
    terminal.run("migrate")
    return terminal


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A stand-in for DPC behind a real socket, with a clock that runs."""
    with Emulator(EmulatorOptions(clock="real")) as running:
        yield running


@dataclass(frozen=True)
class Practice:
    """A practice that is connected, with people, a feed and files to send."""

    terminal: Terminal
    emulator: Emulator
    files: Mapping[str, Path]

    def receive(self, name: str, code: int = 0) -> Any:
        """Take one of the sample files in."""
        return self.terminal.ask(
            "receive", str(self.files[name]), "--org", "lakeside", "--feed", "ehr-daily", code=code
        )


@pytest.fixture(scope="module")
def practice(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Practice:
    """A practice onboarded verb by verb; tests of one module share it in their order."""
    folder = tmp_path_factory.mktemp("practice")
    environ = new_settings(folder / "data") | {
        "ROLLCALL_ALLOWED_DPC_ORIGINS": emulator.base_url,
        "ROLLCALL_CLOCK": f"emulator:{emulator.base_url}",
    }
    terminal = Terminal(environ)
    terminal.run("migrate")
    terminal.run("org", "add", "lakeside", "--name", "Lakeside", "--npi", "3999999998")
    terminal.run("keys", "new", "--org", "lakeside")
    terminal.run("org", "connect", "lakeside", "--emulator", emulator.base_url)
    terminal.run("feed", "add", "ehr-daily", "--org", "lakeside", "--mode", "snapshot")
    password_file = folder / "password"
    password_file.write_text(PASSWORD + "\n", encoding="utf-8")
    person = ("--org", "lakeside", "--password-file", str(password_file))
    terminal.run("user", "add", OFFICER, "--name", "Opal Fields", "--role", "attester", *person)
    terminal.run("user", "add", "desk@lakeside.example", "--name", "Dan Moor", "--role", "reviewer", *person)
    return Practice(terminal, emulator, save_files(folder, build_rosters(2, 10)))


def save_files(folder: Path, files: list[RosterFile]) -> dict[str, Path]:
    """Write files and answer their paths by the two digits they begin with."""
    paths = {}
    for file in files:
        path = folder / file.name
        path.write_bytes(file.body)
        paths[file.name[:2]] = path
    return paths
