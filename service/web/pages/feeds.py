"""Feeds: how each source of rosters is set up, what came from it, and whether it is silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template
from flask.typing import ResponseReturnValue

from service.domain.people import Action
from service.web.access import for_people, is_allowed, load_organization_id
from service.web.pages.blueprint import pages
from service.web.places import find_runtime
from service.workflows.deliveries import DeliveryView, find_deliveries
from service.workflows.feed_words import describe_feed
from service.workflows.feeds import find_feeds, load_feed
from service.workflows.silence import find_feed_cost

BARS = 12
SLOT, TALLEST, LEAST = 40, 100, 2
"""A bar's place is 40 wide, the tallest bar 100 high, and a delivery without rows is still to be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One delivery in the chart of rows, in units of its view box; the newest stands at the right."""

    x: int
    height: int
    state: str


@pages.get("/feeds")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY, Action.SET_UP)
def list_feeds() -> ResponseReturnValue:
    """List the feeds: what came last and when, what is expected, and what waits for a person."""
    return render_template(
        "feeds.html", feeds=find_feeds(find_runtime(), load_organization_id()), may_follow=_may_follow()
    )


@pages.get("/feeds/<feed>")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY, Action.SET_UP)
def show_feed(feed: str) -> ResponseReturnValue:
    """Show what was decided about a feed, in sentences, its last deliveries, and how to change it."""
    runtime, organization_id = find_runtime(), load_organization_id()
    view = load_feed(runtime, organization_id, feed)
    last = find_deliveries(runtime, organization_id, feed_id=feed, limit=BARS)
    return render_template(
        "feed.html",
        feed=view,
        words=describe_feed(view),
        deliveries=last,
        bars=build_bars(last),
        costs_from_at=find_feed_cost(runtime, organization_id, feed) if view.is_overdue else None,
        may_follow=_may_follow(),
    )


def build_bars(newest_first: Sequence[DeliveryView]) -> list[Bar]:
    """Answer a bar for each of the last deliveries, as tall as its rows are many beside the others."""
    rows = [delivery.data_rows or 0 for delivery in reversed(newest_first)]
    most = max(rows, default=0) or 1
    states = [delivery.state for delivery in reversed(newest_first)]
    return [
        Bar(SLOT * place, max(LEAST, round(TALLEST * n / most)), state)
        for place, (n, state) in enumerate(zip(rows, states, strict=True))
    ]


def _may_follow() -> bool:
    """Whether the pages of deliveries open for whoever looks."""
    return is_allowed(Action.READ_ROSTERS, Action.SEND_DELIVERY)
