"""What a practice wants and is asked, as the verbs tell it."""

from __future__ import annotations

from practice import RUTH, Practice

from service.domain.people import Actor
from service.workflows.desired import load_desired
from service.workflows.holds import HoldView, decide_hold, find_holds


def list_claimed(practice: Practice) -> dict[str, tuple[set[str], set[str]]]:
    """Who is wanted and who is let go, by practitioner; MBIs."""
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        panels = load_desired(connection, keys, "lakeside")
    return {panel.npi: (set(panel.wanted), set(panel.ended)) for panel in panels}


def list_wanted(practice: Practice, npi: str | None = None) -> set[str]:
    """Who is wanted by one practitioner or by any."""
    claimed = list_claimed(practice)
    return {mbi for one, (wanted, _) in claimed.items() if npi in (None, one) for mbi in wanted}


def find_hold(practice: Practice, delivery_id: str | None = None) -> HoldView:
    """The one open question, or the one about a delivery."""
    open_ones = find_holds(practice.rt, "lakeside")
    (hold,) = [hold for hold in open_ones if delivery_id in (None, hold.delivery_id)]
    return hold


def release(practice: Practice, hold: HoldView | None = None, person: Actor = RUTH) -> HoldView:
    """A person says yes to a question, or to the only one."""
    asked = hold or find_hold(practice)
    return decide_hold(practice.rt, "lakeside", asked.id, "release", "Looked at it.", person)
