"""The real application on a socket, a practice with a history, and a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_theatre import Theatre, launch_chromium, open_theatre
from playwright.sync_api import Browser, sync_playwright


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
