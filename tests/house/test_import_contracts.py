"""The layers hold, and the linter would notice if they did not.

The linter sets up logging for its whole process, which would switch off ours: it gets a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.house.files import ROOT

_LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(config: Path) -> subprocess.CompletedProcess[str]:
    """Check the import contracts of a file against our packages."""
    command = [sys.executable, "-c", _LINT, "--config", str(config), "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept() -> None:
    run = lint(ROOT / "pyproject.toml")
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "contracts.ini"
    broken.write_text(
        "[importlinter]\nroot_package = service\n"
        "[importlinter:contract:edge]\nname = Workflows without rules\ntype = forbidden\n"
        "source_modules =\n    service.workflows\nforbidden_modules =\n    service.domain\n",
        encoding="utf-8",
    )
    run = lint(broken)
    assert run.returncode == 1
    assert "Workflows without rules BROKEN" in run.stdout
