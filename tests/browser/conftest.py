"""The real application on a socket, a practice with a history, and a real Chromium."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

_HERE = Path(__file__).parent
for _folder in (_HERE, _HERE.parent / "integration" / "web"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from browser_theatre import Theatre, launch_chromium, open_theatre  # noqa: E402


@pytest.fixture(scope="session")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with open_theatre(tmp_path_factory.mktemp("theatre")) as opened:
        yield opened


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()
