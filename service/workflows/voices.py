"""How many people it takes to answer a question with yes, and how many have said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from service.domain.guards import Level
from service.storage import plans
from service.storage.connection import Connection
from service.storage.plans import Hold, HoldDecision

_WORDS = ("nobody", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Voices:
    """How many different people a question needs, and how many of them have said yes so far."""

    needed: int
    agreed: int


def find_agreed(decisions: Iterable[HoldDecision], now: datetime) -> set[str]:
    """Answer who has said yes and still stands by it: a decision holds for so long and no longer."""
    return {decision.person for decision in decisions if decision.verdict == "release" and decision.expires_at > now}


def count_voices(connection: Connection, organization_id: str, hold: Hold, now: datetime) -> Voices:
    """Answer how far a hold is from being let go."""
    decisions = plans.find_hold_decisions(connection, organization_id, hold.id)
    return Voices(Level(hold.level).people_needed, len(find_agreed(decisions, now)))


def tell_voices(needed: int, agreed: int) -> str:
    """Answer in one sentence how many people must still say yes; for an open question."""
    if needed < 2:
        return "One person decides."
    if not agreed:
        return f"It takes {needed} different people; nobody has said yes yet."
    has = "has" if agreed == 1 else "have"
    return f"{_name(agreed).capitalize()} of {_name(needed)} {has} said yes; another person must."


def _name(n: int) -> str:
    return _WORDS[n] if n < len(_WORDS) else str(n)
