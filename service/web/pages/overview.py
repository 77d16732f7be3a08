"""The first page: what lapses when, what is held, what waits for a signature, and whether the night ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.people import Action
from service.web.access import for_people, is_allowed, load_organization_id
from service.web.pages.blueprint import pages
from service.web.places import find_runtime
from service.workflows.overview import show_overview

_HEAT_LEVELS = 4
BAR_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Strip:
    """One stretch of the bar of totals, in thousandths of its width."""

    bucket: str
    start: int
    width: int
    n: int


@pages.get("/")
@for_people()
def show_overview_page() -> ResponseReturnValue:
    """Show the state of the organisation in one look; who may not read rosters is told where to go."""
    if not is_allowed(Action.READ_ROSTERS):
        if is_allowed(Action.SEND_DELIVERY):
            return redirect(url_for("pages.list_deliveries"), 303)
        if is_allowed(Action.SET_UP):
            return redirect(url_for("pages.list_feeds"), 303)
        return render_template("nothing_here.html")
    overview = show_overview(find_runtime(), load_organization_id())
    return render_template(
        "overview.html",
        overview=overview,
        strips=build_strips(overview.totals),
        heat=find_heat,
        names={row.npi: row.name for row in overview.practitioners},
    )


def build_strips(totals: Mapping[str, int]) -> list[Strip]:
    """Answer the stretches of a bar that shows how the totals divide; a bucket with anybody in it stays visible."""
    everybody = sum(totals.values())
    strips: list[Strip] = []
    start = 0
    for bucket, n in totals.items():
        width = max(6, round(BAR_WIDTH * n / everybody)) if n else 0
        width = min(width, BAR_WIDTH - start)
        if width:
            strips.append(Strip(bucket, start, width, n))
        start += width
    return strips


def find_heat(n: int, of: int) -> int:
    """Answer how strongly a cell is tinted, 0 to 4, by its share of the practitioner's attributions."""
    if n <= 0 or of <= 0:
        return 0
    return min(_HEAT_LEVELS, 1 + n * _HEAT_LEVELS // (of + 1))
