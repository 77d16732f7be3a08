"""One scenery per run, one stage per test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


stage_module = sys.modules.get("web_stage") or _load("web_stage", Path(__file__).with_name("stage.py"))

from web_stage import Scenery, Stage, build_scenery, open_stage  # noqa: E402


@pytest.fixture(scope="session")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return build_scenery(tmp_path_factory.mktemp("scenery"))


@pytest.fixture
def stage(scenery: Scenery, tmp_path: Path) -> Iterator[Stage]:
    with open_stage(scenery, tmp_path) as opened:
        yield opened
