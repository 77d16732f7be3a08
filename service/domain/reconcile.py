"""The heart: what the practice claims against what DPC holds gives an ordered list of changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from service.domain.attribution import Attribution, Group, Status, judge
from service.domain.change import Change, ChangeKind, LeftOut, PlannedPatient
from service.domain.errors import InvalidInput
from service.domain.expiry import is_evidence_fresh, is_renewal_due
from service.domain.policy import Policy
from service.domain.roster import Claim, Panel

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Observed:
    """What DPC holds for one organisation, in one reading.

    `patients` maps an MBI to the patient's id at DPC, `practitioners` an NPI likewise. `described_*` are those whom we
    could register, because a name (and for patients birth date and gender) is known. `doubled` lists practitioners with
    more than one Group, which DPC does not prevent (contract-v1 9.4).
    """

    groups: Mapping[str, Group]
    patients: Mapping[str, str] = field(repr=False)
    practitioners: Mapping[str, str]
    described_patients: frozenset[str] = field(default=frozenset(), repr=False)
    described_practitioners: frozenset[str] = frozenset()
    doubled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The changes in the order in which they must be sent, and everything that was left out, with the rule."""

    changes: tuple[Change, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(slots=True)
class _Draft:
    """One practitioner's changes while they are being collected, by kind, in roster order."""

    added: list[PlannedPatient] = field(default_factory=list)
    reinstated: list[PlannedPatient] = field(default_factory=list)
    renewed: list[PlannedPatient] = field(default_factory=list)
    removed: list[PlannedPatient] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    renumbered: list[PlannedPatient] = field(default_factory=list)
    """Added under the new MBI of a patient whose former one is active."""
    retired: list[PlannedPatient] = field(default_factory=list)
    """Removed because the patient is active under a new MBI."""


def reconcile(desired: Sequence[Panel], observed: Observed, now: datetime, policy: Policy) -> Reconciliation:
    """Answer the changes that make DPC's Groups equal to what the practice will answer for.

    1. Register practitioners and patients that DPC does not know and that are described.
    2. Create a Group, with its first patients, for a practitioner who has none.
    3. Remove, then add, reinstate and renew, one Group after another. A patient with a new MBI is added under it first;
       the former one goes when DPC shows the new one as active.

    Only pairs with fresh evidence are attested; only attributions that are ours are removed; nobody at all is removed
    while the whole desired state is empty. What does not fit under the limit is left out by rule: existing patients
    first, then roster order. Same input, same answer.
    """
    may_remove = any(panel.wanted for panel in desired)
    drafts = {
        panel.npi: _draft_panel(panel, observed, now, policy, may_remove)
        for panel in sorted(desired, key=lambda p: p.npi)
    }
    changes = [*_register(drafts, observed, policy)]
    for kind in (ChangeKind.CREATE, ChangeKind.REMOVE, ChangeKind.ADD, ChangeKind.REINSTATE, ChangeKind.RENEW):
        for npi, draft in drafts.items():
            has_group = _find_group(npi, observed).group_id is not None
            changes.extend(_group_changes(kind, npi, draft, has_group, policy.call_size))
            changes.extend(_rename_changes(kind, npi, draft, policy.call_size))
    left_out = [item for draft in drafts.values() for item in draft.left_out]
    return Reconciliation(tuple(changes), tuple(left_out))


def build_overwrite(panel: Panel, observed: Observed, now: datetime, policy: Policy) -> Reconciliation:
    """Answer the one change that replaces a whole Group (PUT) and re-attests everybody listed.

    Only a person asks for it. Raises InvalidInput when there is no Group or more than one, nobody with fresh evidence,
    or too many.
    """
    if panel.npi in observed.doubled:
        raise InvalidInput(
            f"DPC holds more than one Group for practitioner {panel.npi}.",
            next_action="Decide which Group stays before one of them is replaced.",
        )
    group = _find_group(panel.npi, observed)
    if group.group_id is None:
        raise InvalidInput(
            f"Practitioner {panel.npi} has no Group at DPC.", next_action="Draw an ordinary plan instead."
        )
    known = group.by_mbi()
    listed, left_out = [], []
    for claim in _in_roster_order(panel.wanted.values()):
        rule = _why_not_attested(claim, panel.npi, observed, now, policy)
        if rule:
            left_out.append(LeftOut(panel.npi, claim.mbi, rule))
        else:
            listed.append(_plan_patient(claim, observed, known.get(claim.mbi)))
    left_out.extend(_name_lost(group, {patient.mbi for patient in listed}, now))
    if not listed:
        raise InvalidInput(
            "An overwrite with nobody in it would empty the Group.",
            next_action="Send a current roster for this practitioner first.",
        )
    if len(listed) > policy.patient_limit:
        raise InvalidInput(f"{len(listed)} patients do not fit under the limit of {policy.patient_limit}.")
    draft = _Draft(added=listed, left_out=left_out)
    overwrite = Change(ChangeKind.OVERWRITE, panel.npi, tuple(listed))
    return Reconciliation((*_register({panel.npi: draft}, observed, policy), overwrite), tuple(left_out))


def _name_lost(group: Group, listed: set[str], now: datetime) -> Iterator[LeftOut]:
    """Name everybody whose active attribution an overwrite would end, ours or not."""
    for attribution in group.attributions:
        if attribution.mbi not in listed and judge(attribution, now) is Status.ACTIVE:
            yield LeftOut(group.npi, attribution.mbi, "lost_by_overwrite")


def _draft_panel(panel: Panel, observed: Observed, now: datetime, policy: Policy, may_remove: bool) -> _Draft:
    draft = _Draft()
    if panel.npi in observed.doubled:
        draft.left_out.append(LeftOut(panel.npi, None, "two_groups"))
        return draft
    group = _find_group(panel.npi, observed)
    known = group.by_mbi()
    for claim in _in_roster_order(panel.wanted.values()):
        _draft_wanted(draft, panel.npi, claim, known.get(claim.mbi), observed, now, policy)
    for claim in _in_roster_order(panel.ended.values()):
        _draft_ended(draft, panel.npi, claim, known.get(claim.mbi), now, may_remove)
    _draft_renames(draft, panel, known, now)
    claimed = panel.wanted.keys() | panel.ended.keys()
    for attribution in group.attributions:
        if attribution.mbi not in claimed and judge(attribution, now) is Status.ACTIVE:
            draft.left_out.append(LeftOut(panel.npi, attribution.mbi, "not_on_roster"))
    _keep_under_limit(draft, group, policy)
    return draft


def _draft_wanted(
    draft: _Draft,
    npi: str,
    claim: Claim,
    attribution: Attribution | None,
    observed: Observed,
    now: datetime,
    policy: Policy,
) -> None:
    if attribution and judge(attribution, now) is Status.ACTIVE and not is_renewal_due(attribution, now, policy):
        return
    rule = _why_not_attested(claim, npi, observed, now, policy)
    if rule:
        draft.left_out.append(LeftOut(npi, claim.mbi, rule))
        return
    patient = _plan_patient(claim, observed, attribution)
    if attribution is None:
        draft.added.append(patient)
    elif judge(attribution, now) is Status.ACTIVE:
        draft.renewed.append(patient)
    else:
        draft.reinstated.append(patient)


def _draft_ended(
    draft: _Draft, npi: str, claim: Claim, attribution: Attribution | None, now: datetime, may_remove: bool
) -> None:
    if attribution is None or judge(attribution, now) is not Status.ACTIVE:
        return
    if not attribution.owned:
        draft.left_out.append(LeftOut(npi, claim.mbi, "not_ours"))
    elif not may_remove:
        draft.left_out.append(LeftOut(npi, claim.mbi, "nothing_desired"))
    else:
        draft.removed.append(
            PlannedPatient(claim.mbi, attribution.patient_id, claim.delivery, claim.line, attribution.end_at)
        )


def _draft_renames(draft: _Draft, panel: Panel, known: Mapping[str, Attribution], now: datetime) -> None:
    """Take the two halves of a changed MBI out of the adds and removals: nobody has come, and nobody has left."""

    def is_active(mbi: str) -> bool:
        return mbi in known and judge(known[mbi], now) is Status.ACTIVE

    followed = {new for old, new in panel.renamed.items() if is_active(old)}
    draft.renumbered = [p for p in draft.added if p.mbi in followed]
    draft.added = [p for p in draft.added if p.mbi not in followed]
    former = [p for p in draft.removed if p.mbi in panel.renamed]
    draft.removed = [p for p in draft.removed if p.mbi not in panel.renamed]
    draft.retired = [p for p in former if is_active(panel.renamed[p.mbi])]
    waiting = (p for p in former if not is_active(panel.renamed[p.mbi]))
    draft.left_out.extend(LeftOut(panel.npi, p.mbi, "former_number") for p in waiting)


def _why_not_attested(claim: Claim, npi: str, observed: Observed, now: datetime, policy: Policy) -> str | None:
    if not is_evidence_fresh(claim, now, policy):
        return "stale_evidence"
    if npi not in observed.practitioners and npi not in observed.described_practitioners:
        return "practitioner_undescribed"
    if claim.mbi not in observed.patients and claim.mbi not in observed.described_patients:
        return "demographics_missing"
    return None


def _plan_patient(claim: Claim, observed: Observed, attribution: Attribution | None) -> PlannedPatient:
    patient_id = attribution.patient_id if attribution else observed.patients.get(claim.mbi)
    end_at = attribution.end_at if attribution else None
    return PlannedPatient(claim.mbi, patient_id, claim.delivery, claim.line, end_at)


def _keep_under_limit(draft: _Draft, group: Group, policy: Policy) -> None:
    """Drop what `$add` would be refused for: it counts every stored patient, inactive ones too (contract-v1 9.4)."""
    room = policy.patient_limit - len(group.attributions)
    after = max(room - len(draft.renumbered), 0)
    over = [*draft.renumbered[max(room, 0) :], *draft.added[after:]]
    del draft.renumbered[max(room, 0) :]
    del draft.added[after:]
    if room < 0:
        over = [*draft.renewed, *draft.reinstated, *over]
        draft.renewed, draft.reinstated = [], []
    draft.left_out.extend(LeftOut(group.npi, patient.mbi, "over_limit") for patient in over)


def _register(drafts: Mapping[str, _Draft], observed: Observed, policy: Policy) -> Iterator[Change]:
    attested = {npi: [*d.renumbered, *d.added, *d.reinstated, *d.renewed] for npi, d in drafts.items()}
    npis = [npi for npi, patients in attested.items() if patients and npi not in observed.practitioners]
    for some in _cut(npis, policy.call_size):
        yield Change(ChangeKind.REGISTER, None, (), practitioners=tuple(some))
    unknown = {p.mbi: p for patients in attested.values() for p in patients if p.mbi not in observed.patients}
    for part in _cut(list(unknown.values()), policy.call_size):
        yield Change(ChangeKind.REGISTER, None, tuple(part))


def _group_changes(kind: ChangeKind, npi: str, draft: _Draft, has_group: bool, call_size: int) -> Iterator[Change]:
    patients = {
        ChangeKind.CREATE: [] if has_group else draft.added[:call_size],
        ChangeKind.ADD: draft.added if has_group else draft.added[call_size:],
        ChangeKind.REMOVE: draft.removed,
        ChangeKind.REINSTATE: draft.reinstated,
        ChangeKind.RENEW: draft.renewed,
    }[kind]
    for part in _cut(patients, call_size):
        yield Change(kind, npi, tuple(part))


def _rename_changes(kind: ChangeKind, npi: str, draft: _Draft, call_size: int) -> Iterator[Change]:
    patients = {ChangeKind.ADD: draft.renumbered, ChangeKind.REMOVE: draft.retired}.get(kind, [])
    for part in _cut(patients, call_size):
        yield Change(kind, npi, tuple(part), is_rename=True)


def _find_group(npi: str, observed: Observed) -> Group:
    return observed.groups.get(npi) or Group(npi, None)


def _in_roster_order(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda c: (c.delivery, c.line, c.mbi))


def _cut(items: list[_Item], size: int) -> Iterator[list[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
