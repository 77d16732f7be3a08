"""The firewall in front of DPC: a budget of requests per caller and five minutes (contract-v1 1.1)."""

from __future__ import annotations

from collections import deque
from datetime import timedelta

from service.emulator.faults import Fault, read_fault
from service.emulator.state import State

WINDOW = timedelta(minutes=5)
_PRESETS = {403: "waf", 429: "waf-429"}


def find_refusal(state: State, caller: str) -> Fault | None:
    """The HTML answer for a caller over its budget; None while it has budget left, or when none is set.

    Every request counts, refused ones too: a rate rule looks at what arrives, so hammering keeps the door shut.
    The window slides on the emulator's clock.
    """
    budget = state.knobs.waf_budget
    if budget < 0:
        return None
    now = state.clock.now()
    with state.lock:
        visits = state.visits.setdefault(caller, deque())
        visits.append(now)
        while visits and not now - WINDOW < visits[0] <= now:
            visits.popleft()
        return read_fault({"preset": _PRESETS[state.knobs.waf_status]}) if len(visits) > budget else None
