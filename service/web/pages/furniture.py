"""What every template may use: who is here, what time it is, how to tell times and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, g

from service.domain.change import ChangeKind
from service.domain.expiry import BUCKETS
from service.domain.people import Action
from service.dpc.errors import DpcError
from service.storage.errors import StorageError
from service.web.access import is_allowed
from service.web.places import find_runtime
from service.web.times import tell_distance, tell_size, tell_time
from service.workflows.onboard import load_organization
from service.workflows.voices import tell_voices

NOTICE = (
    "This product uses the Data at the Point of Care API but is not endorsed or certified by the Centers for Medicare "
    "& Medicaid Services or the U.S. Department of Health and Human Services."
)

MARKS = {
    ChangeKind.REGISTER: "•",
    ChangeKind.CREATE: "⊕",
    ChangeKind.ADD: "+",
    ChangeKind.REINSTATE: "↺",
    ChangeKind.RENEW: "↻",
    ChangeKind.REMOVE: "−",
    ChangeKind.OVERWRITE: "⇄",
}
"""The mark of each kind of change; always shown beside its word."""

KIND_WORDS = {"create": "add, in a new Group"}
"""Where the kind of a change is not the word for people: one patient's part in a Group's creation."""

BUCKET_WORDS = {
    "expired": "expired",
    "0-7": "0–7 days",
    "8-15": "8–15 days",
    "16-30": "16–30 days",
    "31-60": "31–60 days",
    "61-90": "61–90 days",
}

CAUSE_WORDS = {
    "not_on_roster": "No accepted delivery lists the patient.",
    "stale_evidence": "The last delivery that lists the patient is too old to attest on.",
    "expired": "The period is over.",
    "no_authorization": "A plan waits for a signature.",
    "held": "The changes are held for a person.",
    "dpc_unanswered": "A call to DPC is still without a known outcome.",
    "not_renewed": "No plan has renewed it yet.",
}
"""Why an attribution is not renewed by itself, for people."""
INCIDENT_WORDS = {
    "roster-limit": "DPC takes no more patients into the Group",
    "partly-landed": "A call was carried out in part for the Group",
    "unapproved-attribution": "DPC holds what nobody here approved for the Group",
    "feed_silent": "A feed is silent",
    "feed_conflict": "A feed sent different files under one number",
}
"""What is wrong, for the incidents that are not about one attribution's end."""


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    endpoint: str
    word: str
    actions: tuple[Action, ...] = (Action.READ_ROSTERS,)


PLACES = (
    Place("pages.show_overview_page", "Overview"),
    Place("pages.list_plans", "Plans"),
    Place("pages.list_holds", "Holds"),
    Place("pages.list_deliveries", "Deliveries", (Action.READ_ROSTERS, Action.SEND_DELIVERY)),
    Place("pages.list_feeds", "Feeds", (Action.READ_ROSTERS, Action.SEND_DELIVERY, Action.SET_UP)),
    Place("pages.show_ledger", "Ledger"),
    Place("pages.list_reports", "Reports"),
)


def furnish_templates(app: Flask) -> None:
    """Give every template its filters, words and the person of the request."""
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.add_template_filter(tell_time, "moment")
    app.add_template_filter(tell_size, "size")
    app.add_template_filter(lambda number: f"{number:,}", "count")
    app.add_template_filter(tell_briefly, "brief")
    app.context_processor(_furnish)


def tell_briefly(value: object) -> str:
    """Answer a value of a ledger entry as text; ids and digests by their beginning."""
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {tell_briefly(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(tell_briefly(item) for item in value) or "none"
    text = str(value)
    return f"{text[:10]}…" if len(text) >= 32 and " " not in text else text


def _furnish() -> dict[str, Any]:
    person = g.get("person")
    actor = g.get("actor")
    return {
        "notice": NOTICE,
        "marks": {kind.value: mark for kind, mark in MARKS.items()},
        "kind_words": KIND_WORDS,
        "buckets": [bucket.name for bucket in BUCKETS],
        "bucket_words": BUCKET_WORDS,
        "cause_words": CAUSE_WORDS,
        "tell_voices": tell_voices,
        "incident_words": INCIDENT_WORDS,
        "person": person if actor is not None else None,
        "actor": actor,
        "places": [place for place in PLACES if is_allowed(*place.actions)],
        "organizations": _name_organizations() if actor is not None and person is not None else {},
        "may_sign": is_allowed(Action.SIGN_PLAN),
        "may_apply": is_allowed(Action.APPLY_PLAN),
        "may_decide": is_allowed(Action.DECIDE_HOLD),
        "may_read": is_allowed(Action.READ_ROSTERS),
        "trial_now": _find_trial_time(),
        "distance": lambda at: tell_distance(at, find_runtime().now()),
    }


def _find_trial_time() -> datetime | None:
    """The emulator's time while it is followed, so that nobody takes a date of a trial for today's; else None."""
    rt = find_runtime()
    if rt.settings.clock == "system":
        return None
    try:
        return rt.now()
    except DpcError:
        return None  # this may be the page that tells of the same failure


def _name_organizations() -> dict[str, str]:
    try:
        names = {one: load_organization(find_runtime(), one).name for one in g.person.memberships}
    except StorageError:
        return {}  # this may be the page that tells of the same failure
    return dict(sorted(names.items(), key=lambda item: item[1]))
