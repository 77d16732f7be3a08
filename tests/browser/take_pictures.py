"""Save a picture of every page: take_pictures.py FOLDER."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("web_stage", _HERE.parent / "integration" / "web" / "stage.py")
assert _spec and _spec.loader
_stage = importlib.util.module_from_spec(_spec)
sys.modules["web_stage"] = _stage
_spec.loader.exec_module(_stage)

SIZES = {"wide": (1280, 900), "narrow": (400, 800)}


def take_pictures(folder: Path) -> None:
    """Log in and walk every page, light and wide, dark, and narrow."""
    theatre_module = importlib.import_module("theatre")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, theatre_module.open_theatre(Path(work)) as theatre:
        pages = {
            "overview": "/",
            "practitioner": f"/practitioners/{_stage.WELLS}",
            "practitioner-due": f"/practitioners/{_stage.WELLS}?bucket=8-15",
            "patient": theatre.patient_page,
            "plans": "/plans",
            "plan-open": f"/plans/{theatre.open_plan}",
            "plan-applied": f"/plans/{theatre.applied_plan}",
            "deliveries": "/deliveries",
            "delivery-held": f"/deliveries/{theatre.held_delivery}",
            "delivery-findings": f"/deliveries/{theatre.delivery_with_findings}",
            "holds": "/holds",
            "ledger": "/ledger",
            "reports": "/reports",
            "report-expiring": "/reports/expiring",
            "api": "/api/docs",
            "missing": "/nothing-here",
        }
        with sync_playwright() as playwright:
            browser = theatre_module.launch_chromium(playwright)
            for look, (width, height) in SIZES.items():
                for scheme in ("light", "dark") if look == "wide" else ("light",):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=theatre.origin
                    )
                    page = context.new_page()
                    page.goto("/login")
                    _save(page, folder, f"login-{look}-{scheme}")
                    page.fill("#email", theatre.login[0])
                    page.fill("#password", theatre.login[1])
                    page.get_by_role("button", name="Log in").click()
                    for name, path in pages.items():
                        page.goto(path)
                        _save(page, folder, f"{name}-{look}-{scheme}")
                    context.close()
            browser.close()


def _save(page: Page, folder: Path, name: str) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]))
