"""A practice with a history, served over a socket: something on every page."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Playwright
from web_stage import (
    ATTESTER,
    FEED,
    OURS,
    PASSWORD,
    QUIET,
    RIVERS,
    WELLS,
    Stage,
    build_scenery,
    open_stage,
    write_practitioners,
    write_roster,
)
from werkzeug.serving import make_server

from service.domain.people import Actor
from service.workflows.feeds import add_feed, set_feed
from service.workflows.onboard import set_organization
from service.workflows.prove import make_checkpoint
from service.workflows.silence import watch_feeds

SILENT_FEED = "front-desk"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@dataclass(frozen=True)
class Theatre:
    """A stage with a public address, and the ids of what is worth looking at."""

    stage: Stage
    origin: str
    open_plan: str
    applied_plan: str
    held_delivery: str
    delivery_with_findings: str
    patient_page: str

    @property
    def login(self) -> tuple[str, str]:
        """E-mail address and password of the attester."""
        return ATTESTER, PASSWORD


def find_chromium() -> str:
    """The path of a Chromium of this machine."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "the pages are tested in a real browser: install the package `chromium`"
    return found


def launch_chromium(playwright: Playwright) -> Browser:
    """Start a browser without a window."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)


@contextmanager
def open_theatre(folder: Path) -> Iterator[Theatre]:
    """Play half a year of a practice, then serve its pages on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    (folder / "scenery").mkdir(parents=True)
    scenery = build_scenery(folder / "scenery")
    with open_stage(scenery, folder / "stage") as stage:
        told = play_history(stage)
        server = make_server("127.0.0.1", 0, stage.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Theatre(stage, f"http://127.0.0.1:{server.server_port}", **told)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def set_up_feeds(stage: Stage) -> None:
    """Decide something about the feed, and add one for changes that is never heard of."""
    settings = {"expected_every_hours": 24 * 35, "max_removals": 25, "practitioners": [WELLS, RIVERS, QUIET]}
    set_feed(stage.runtime, OURS, FEED, settings, Actor.operator())
    desk = {"expected_every_hours": 24 * 7, "column_mapping": {"mbi": "Member Number"}}
    add_feed(stage.runtime, OURS, feed_id=SILENT_FEED, settings=desk, actor=Actor.operator())


def play_history(stage: Stage) -> dict[str, str]:
    """Three rosters weeks apart, one that is cut off, a plan that is applied and one that waits with a hold."""
    set_organization(stage.runtime, OURS, {"patient_limit": 90}, Actor.operator())
    set_up_feeds(stage)
    stage.send(write_practitioners())
    stage.send(
        write_roster({WELLS: range(40), RIVERS: range(100, 118), QUIET: range(200, 270)}),
        as_of_at=stage.runtime.now(),
    )
    first = stage.carry_out()
    stage.advance(47)
    now = stage.runtime.now()
    second = {WELLS: range(52), RIVERS: range(100, 124), QUIET: range(200, 281)}
    lines = write_roster(second).decode().splitlines()
    broken = [lines[0], f"NOTANMBI,A,B,1940-01-01,F,{WELLS}", f"1S00E00AA00,A,B,1940-01-01,F,{WELLS[:-1]}1", *lines[1:]]
    findings = stage.send(("\n".join(broken) + "\n").encode(), as_of_at=now)
    stage.carry_out()
    stage.advance(29)
    now = stage.runtime.now()
    last = write_roster({WELLS: [*range(24), *range(34, 56)], RIVERS: range(100, 126), QUIET: range(200, 292)})
    stage.send(last, as_of_at=now)
    plan = stage.draw()
    stage.advance(1)
    held = stage.send(write_roster({WELLS: range(9)}), as_of_at=stage.runtime.now())
    make_checkpoint(stage.runtime, OURS)
    watch_feeds(stage.runtime, OURS)
    row = next(row for diff in plan.practitioners if diff.npi == WELLS for row in diff.rows if row.kind == "renew")
    return {
        "open_plan": plan.head.id,
        "applied_plan": first.head.id,
        "held_delivery": held,
        "delivery_with_findings": findings,
        "patient_page": f"/practitioners/{WELLS}/patients/{row.patient_ref}",
    }
