"""Which changes wait for a person: too many removals or adds, per Group, per organisation and over seven days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.canonical import digest_json
from service.domain.change import Change, ChangeKind, Conceal
from service.domain.policy import GuardLimits


class Level(StrEnum):
    """How many people it takes to let held changes go: one for a hold, two for a hard stop."""

    HOLD = "hold"
    HARD_STOP = "hard-stop"

    @property
    def people_needed(self) -> int:
        return 2 if self is Level.HARD_STOP else 1


@dataclass(frozen=True, slots=True)
class HeldChanges:
    """Changes that wait: the rule, why in one sentence, and the fingerprint that a decision binds to."""

    rule: str
    level: Level
    npi: str | None
    reason: str
    changes: tuple[Change, ...]
    fingerprint: str

    @property
    def n(self) -> int:
        return sum(change.n for change in self.changes)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the guards measure against: active patients now, and removals landed in the last seven days."""

    active: Mapping[str, int]
    recently_removed: Mapping[str, int]

    def in_group(self, npi: str) -> tuple[int, int]:
        """Answer (base, removed lately) of one Group; the base is what was active before those removals."""
        lately = self.recently_removed.get(npi, 0)
        return self.active.get(npi, 0) + lately, lately

    def in_organization(self) -> tuple[int, int]:
        """Answer (base, removed lately) over all Groups."""
        lately = sum(self.recently_removed.values())
        return sum(self.active.values()) + lately, lately


def hold_changes(
    changes: Sequence[Change],
    exposure: Exposure,
    limits: GuardLimits,
    organization_id: str,
    released: Mapping[str, int],
    conceal: Conceal,
) -> tuple[tuple[Change, ...], tuple[HeldChanges, ...]]:
    """Split changes into those that may go and those that wait.

    `conceal` keeps MBIs out of the fingerprints. `released` maps the fingerprint of held changes to the number of
    different people who let exactly those go. Removals over a limit wait while adds and renewals go on; adds over a
    limit wait while renewals go on.
    """
    held = [
        *_hold_removals(changes, exposure, limits),
        *_hold_adds(changes, exposure, limits),
        *_hold_renames(changes, exposure, limits),
    ]
    bound = [_bind(organization_id, conceal, *item) for item in held]
    waiting = tuple(h for h in bound if released.get(h.fingerprint, 0) < h.level.people_needed)
    stopped = {id(change) for h in waiting for change in h.changes}
    return tuple(c for c in changes if id(c) not in stopped), waiting


_Unbound = tuple[str, Level, str | None, str, tuple[Change, ...]]


def _hold_removals(changes: Sequence[Change], exposure: Exposure, limits: GuardLimits) -> Iterable[_Unbound]:
    """A hold of the whole organisation takes in all removals, except of Groups that need two people by themselves."""
    by_npi = _by_practitioner(changes, ChangeKind.REMOVE)
    per_group = list(_hold_group_removals(by_npi, exposure, limits))
    removals = [change for some in by_npi.values() for change in some]
    total = sum(c.n for c in removals)
    base, lately = exposure.in_organization()
    level = _weigh(
        total + lately,
        base,
        limits.removals_floor,
        limits.organization_removals_hold,
        limits.organization_removals_stop,
    )
    if level is None:
        yield from per_group
        return
    graver = [held for held in per_group if held[1] is Level.HARD_STOP and level is Level.HOLD]
    yield from graver
    apart = {id(change) for *_, some in graver for change in some}
    rest = tuple(change for change in removals if id(change) not in apart)
    if rest:
        yield "removals-per-organization", level, None, _removal_reason(total, lately, base, None), rest


def _hold_group_removals(
    by_npi: Mapping[str, Sequence[Change]], exposure: Exposure, limits: GuardLimits
) -> Iterable[_Unbound]:
    for npi, some in by_npi.items():
        planned = sum(c.n for c in some)
        base, lately = exposure.in_group(npi)
        level = _weigh(
            planned + lately, base, limits.removals_floor, limits.group_removals_hold, limits.group_removals_stop
        )
        if planned >= exposure.active.get(npi, 0):
            level = Level.HARD_STOP
        if level:
            yield "removals-per-group", level, npi, _removal_reason(planned, lately, base, npi), tuple(some)


def _hold_adds(changes: Sequence[Change], exposure: Exposure, limits: GuardLimits) -> Iterable[_Unbound]:
    for npi, some in _by_practitioner(changes, ChangeKind.ADD, ChangeKind.REINSTATE).items():
        base = exposure.active.get(npi, 0)
        n = sum(c.n for c in some)
        level = _weigh(n, base, limits.adds_floor, limits.group_adds_hold, limits.group_adds_stop)
        if base and level:
            reason = f"{n} patients would be attested anew for practitioner {npi}, who has {base} active now."
            yield "adds-per-group", level, npi, reason, tuple(some)


def _hold_renames(changes: Sequence[Change], exposure: Exposure, limits: GuardLimits) -> Iterable[_Unbound]:
    """Changed MBIs are nobody's coming or going if they are right; wrong ones remove people, so their limits hold."""
    renames = [change for change in changes if change.is_rename]
    for kind in (ChangeKind.ADD, ChangeKind.REMOVE):
        for npi, some in _group_by_practitioner(c for c in renames if c.kind is kind).items():
            n, base = sum(c.n for c in some), exposure.active.get(npi, 0)
            level = _weigh(n, base, limits.removals_floor, limits.group_removals_hold, limits.group_removals_stop)
            if level:
                reason = f"{n} patients of practitioner {npi}, who has {base} active now, would change their MBI."
                yield "renames-per-group", level, npi, reason, tuple(some)


def _weigh(n: int, base: int, floor: int, hold_percent: int, stop_percent: int) -> Level | None:
    """Compare a count with `max(floor, percent of base)` for both levels; equal to the limit is still allowed."""
    if n > floor and 100 * n > stop_percent * base:
        return Level.HARD_STOP
    if n > floor and 100 * n > hold_percent * base:
        return Level.HOLD
    return None


def _removal_reason(planned: int, lately: int, base: int, npi: str | None) -> str:
    whom = f"practitioner {npi}" if npi else "the organisation"
    before = f" {lately} were removed in the last seven days." if lately else ""
    return f"{planned} of {base - lately} active patients of {whom} would be removed.{before}"


def _by_practitioner(changes: Sequence[Change], *kinds: ChangeKind) -> Mapping[str, list[Change]]:
    return _group_by_practitioner(c for c in changes if c.kind in kinds and not c.is_rename)


def _group_by_practitioner(changes: Iterable[Change]) -> Mapping[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.npi:
            found[change.npi].append(change)
    return found


def _bind(
    organization_id: str,
    conceal: Conceal,
    rule: str,
    level: Level,
    npi: str | None,
    reason: str,
    changes: tuple[Change, ...],
) -> HeldChanges:
    pairs = sorted([c.kind.value, c.npi or "", conceal(p.mbi)] for c in changes for p in c.patients)
    fingerprint = digest_json({"organization": organization_id, "rule": rule, "pairs": pairs})
    return HeldChanges(rule, level, npi, reason, changes, fingerprint)
