"""Save a picture of every page: take_pictures.py FOLDER."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests" / "kit")]

from browser_theatre import SILENT_FEED, Theatre, launch_chromium, open_theatre  # noqa: E402
from web_stage import FEED, WELLS  # noqa: E402

SIZES = {"wide": (1280, 900), "narrow": (400, 800)}


def take_pictures(folder: Path) -> None:
    """Log in and walk every page: wide in light and dark, and narrow."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, open_theatre(Path(work)) as theatre, sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        for look, scheme in (("wide", "light"), ("wide", "dark"), ("narrow", "light")):
            width, height = SIZES[look]
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                base_url=theatre.origin,
            )
            _walk(context.new_page(), folder, theatre, f"{look}-{scheme}")
            context.close()
        browser.close()


def _name_pages(theatre: Theatre) -> dict[str, str]:
    return {
        "overview": "/",
        "practitioner": f"/practitioners/{WELLS}",
        "practitioner-due": f"/practitioners/{WELLS}?bucket=8-15",
        "patient": theatre.patient_page,
        "plans": "/plans",
        "plan-open": f"/plans/{theatre.open_plan}",
        "plan-applied": f"/plans/{theatre.applied_plan}",
        "deliveries": "/deliveries",
        "delivery-held": f"/deliveries/{theatre.held_delivery}",
        "delivery-findings": f"/deliveries/{theatre.delivery_with_findings}",
        "feeds": "/feeds",
        "feed": f"/feeds/{FEED}",
        "feed-silent": f"/feeds/{SILENT_FEED}",
        "holds": "/holds",
        "ledger": "/ledger",
        "reports": "/reports",
        "report-expiring": "/reports/expiring",
        "api": "/api/docs",
        "missing": "/nothing-here",
    }


def _walk(page: Page, folder: Path, theatre: Theatre, look: str) -> None:
    page.goto("/login")
    _save(page, folder, f"login-{look}")
    page.fill("#email", theatre.login[0])
    page.fill("#password", theatre.login[1])
    page.get_by_role("button", name="Log in").click()
    for name, path in _name_pages(theatre).items():
        page.goto(path)
        _save(page, folder, f"{name}-{look}")


def _save(page: Page, folder: Path, name: str) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
