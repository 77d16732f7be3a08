"""Feeds over HTTP: read how each source is set up and doing; an admin's client may set them up."""

from __future__ import annotations

from typing import Any

from flask import url_for

from schemas.api.base import PageQuery
from schemas.api.feeds import FeedChange, FeedPage, FeedSchema, FeedWish
from service.web.access import SETUP_WRITE, for_machines, load_actor, load_organization_id
from service.web.api.paging import Page, cut_page
from service.web.api.section import Route, Section
from service.web.places import find_runtime
from service.workflows.feeds import FeedView, add_feed, find_feeds, load_feed, set_feed

section = Section("feeds", "Where rosters come from, what is normal for each source, and which of them is silent.")


@section.route(Route("/feeds", FeedPage, query=PageQuery, errors=(422,)), for_machines())
def list_feeds(query: dict[str, Any]) -> Any:
    """List the organisation's feeds by id, with their settings and how each is doing."""
    found = find_feeds(find_runtime(), load_organization_id(), after=query["cursor"], limit=query["limit"] + 1)
    page: Page[FeedView] = cut_page(found, query["limit"], lambda feed: feed.id)
    return page, page.headers


@section.route(Route("/feeds/<feed>", FeedSchema, errors=(404,)), for_machines())
def get_feed(feed: str) -> Any:
    """Read one feed: its settings, every default spelled out, its last delivery, and whether it is overdue."""
    return load_feed(find_runtime(), load_organization_id(), feed)


@section.route(
    Route("/feeds", FeedSchema, method="POST", status=201, body=FeedWish, errors=(409, 422)), for_machines(SETUP_WRITE)
)
def post_feed(wish: dict[str, Any]) -> Any:
    """Add a feed; the client must be bound to a person with the admin role. The ledger keeps who added what."""
    feed_id = wish.pop("id")
    added = add_feed(find_runtime(), load_organization_id(), feed_id=feed_id, actor=load_actor(), **wish)
    return added, 201, {"Location": url_for("feeds.get_feed", feed=feed_id)}


@section.route(
    Route("/feeds/<feed>", FeedSchema, method="PATCH", body=FeedChange, errors=(404, 422)), for_machines(SETUP_WRITE)
)
def patch_feed(wish: dict[str, Any], feed: str) -> Any:
    """Change what is named of a feed and nothing else; null puts a setting back to its default.

    The ledger keeps old and new values. Asking for what is so already changes nothing.
    """
    changes = {**wish, **wish.get("settings", {})}
    changes.pop("settings", None)
    return set_feed(find_runtime(), load_organization_id(), feed, changes, load_actor())
