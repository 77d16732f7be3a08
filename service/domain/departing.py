"""Doubts about whom an accepted file leaves out: it counts, but it lets nobody go until a person says so."""

from __future__ import annotations

from service.domain.feeds import FeedSettings
from service.domain.guards import Level
from service.domain.intake import FLOOR, Doubt, Effect, FileFacts, count_of, tell_effect


def doubt_removals(facts: FileFacts, signal: str, blind: int, settings: FeedSettings) -> Doubt | None:
    """Answer why an accepted file lets nobody go until a person says so, None when nothing speaks against it.

    `signal` is what the file says of itself (feeds 7.2), `blind` counts its rows of which nobody knows whom they are
    about: one of them may be any patient who seems absent. Nothing is suspended where nothing would be removed.
    """
    effect = facts.effect
    n = max(effect.absent, effect.ended)
    if n == 0:
        return None
    told = f"Nobody was let go. {tell_effect(effect)}"
    if blind:
        return Doubt("blind_errors", Level.HOLD, f"{count_of(blind, 'row')} could be about anybody. {told}")
    if facts.is_snapshot and signal in ("delta", "partial"):
        return Doubt(
            "partial_input", Level.HOLD, f"The file says of itself that it is not everybody ({signal}). {told}"
        )
    if over := _tell_excess(effect, settings):
        return Doubt("many_removals", Level.HOLD, f"{over} by itself. {told}")
    return None


def doubt_change(effect: Effect, level: Level) -> Doubt:
    """Answer why a released file lets nobody go yet: by now it would let go others than whoever released it was shown.

    Other files, or another setting of the feed, have come between.
    """
    now = "By now the patients whom the file lets go are not exactly those who were shown. Nobody was let go."
    return Doubt("many_removals", level, f"{now} {tell_effect(effect)}")


def _tell_excess(effect: Effect, settings: FeedSettings) -> str | None:
    """Say which limit of the feed is passed; what another feed goes on to claim counts too, as in every guard."""
    most, percent = settings.max_removals, settings.max_removal_percent
    if most is not None and effect.ended > most:
        return f"The file removes {effect.ended}; this feed may remove {f'at most {most}' if most else 'nobody'}"
    if percent is not None and effect.ended > FLOOR and 100 * effect.ended > percent * effect.known:
        return f"The file removes {effect.ended} of {effect.known}; this feed may remove at most {percent} %"
    return None
