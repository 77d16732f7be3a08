"""The layers hold, and the linter would notice if they did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.house.files import ROOT


def test_every_import_contract_is_kept(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)
    assert status == 0, capfd.readouterr().out


def test_a_broken_contract_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "contracts.ini"
    broken.write_text(
        "[importlinter]\nroot_package = service\n"
        "[importlinter:contract:edge]\nname = Workflows without rules\ntype = forbidden\n"
        "source_modules =\n    service.workflows\nforbidden_modules =\n    service.domain\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(broken), no_cache=True, no_logo=True) == 1
    assert "Workflows without rules BROKEN" in capfd.readouterr().out
