"""A plan: the exact changes that a person reads and signs, and the fingerprint that binds the signature to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.attribution import Group
from service.domain.canonical import Json, digest_json, read_time, write_time
from service.domain.change import Change, ChangeKind, Conceal, LeftOut, read_change, write_change
from service.domain.guards import HeldChanges, Level


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen to one organisation's Groups, drawn at one moment from one reading of DPC.

    `baselines` maps each practitioner concerned to the digest of the Group that the changes were computed from.
    """

    organization_id: str
    drawn_at: datetime
    baselines: Mapping[str, str]
    changes: tuple[Change, ...]
    held: tuple[HeldChanges, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when nothing would be sent; something may still be held."""
        return not self.changes

    @property
    def is_overwrite(self) -> bool:
        return any(change.kind is ChangeKind.OVERWRITE for change in self.changes)


def digest_group(group: Group) -> str:
    """Answer the digest of what DPC holds for one practitioner: who, and from when to when.

    `inactive` is left out because DPC flips it up to an hour after the end (contract-v1 9.6); a removal moves the end.
    """
    rows = sorted([a.patient_id, write_time(a.start_at), write_time(a.end_at)] for a in group.attributions)
    return digest_json({"group": group.group_id, "npi": group.npi, "attributions": rows})


def draw_baselines(changes: Iterable[Change], groups: Mapping[str, Group]) -> dict[str, str]:
    """Answer the digest of each Group that the changes touch, the absent ones included."""
    npis = sorted({c.npi for c in changes if c.npi})
    return {npi: digest_group(groups.get(npi) or Group(npi, None)) for npi in npis}


def fingerprint_plan(plan: Plan, conceal: Conceal) -> str:
    """Answer the SHA-256 that a person signs: organisation, baselines, every change with its evidence, every hold.

    Patients stand in it as tokens of `conceal`, because the fingerprint is public and an MBI could be guessed.
    """
    return digest_json(
        {
            "version": 1,
            "organization": plan.organization_id,
            "drawn_at": write_time(plan.drawn_at),
            "baselines": dict(plan.baselines),
            "changes": [write_change(c, conceal) for c in plan.changes],
            "held": [h.fingerprint for h in plan.held],
        }
    )


def count_changes(changes: Sequence[Change]) -> dict[str, int]:
    """Count by kind: Groups for `create` and `overwrite`, people for all else.

    The first patients of a new Group travel with its creation and are counted under `add` as well.
    """
    counts: Counter[str] = Counter()
    for change in changes:
        if change.kind in (ChangeKind.CREATE, ChangeKind.OVERWRITE):
            counts[change.kind.value] += 1
        if change.kind is ChangeKind.CREATE:
            counts[ChangeKind.ADD.value] += change.n
        elif change.kind is not ChangeKind.OVERWRITE:
            counts[change.kind.value] += change.n
    return {kind.value: counts[kind.value] for kind in ChangeKind}


def write_plan(plan: Plan) -> dict[str, Json]:
    """Answer a plan as JSON values; holds MBIs, so it is sealed wherever it is kept."""
    return {
        "organization": plan.organization_id,
        "drawn_at": write_time(plan.drawn_at),
        "baselines": dict(plan.baselines),
        "changes": [write_change(c) for c in plan.changes],
        "held": [
            {
                "rule": h.rule,
                "level": h.level.value,
                "npi": h.npi,
                "reason": h.reason,
                "fingerprint": h.fingerprint,
                "changes": [write_change(c) for c in h.changes],
            }
            for h in plan.held
        ],
        "left_out": [[item.npi, item.mbi, item.rule] for item in plan.left_out],
        "warnings": list(plan.warnings),
    }


def read_plan(value: dict[str, object]) -> Plan:
    """Read what `write_plan` wrote; raises KeyError, TypeError or ValueError on anything else."""
    return Plan(
        organization_id=str(value["organization"]),
        drawn_at=read_time(str(value["drawn_at"])),
        baselines=dict(_mapping(value["baselines"])),
        changes=tuple(read_change(c) for c in _rows(value["changes"])),
        held=tuple(_read_held(h) for h in _rows(value["held"])),
        left_out=tuple(LeftOut(npi, mbi, rule) for npi, mbi, rule in _lists(value["left_out"])),
        warnings=tuple(str(w) for w in _lists(value["warnings"])),
    )


def _read_held(value: dict[str, object]) -> HeldChanges:
    npi = value["npi"]
    return HeldChanges(
        str(value["rule"]),
        Level(str(value["level"])),
        None if npi is None else str(npi),
        str(value["reason"]),
        tuple(read_change(c) for c in _rows(value["changes"])),
        str(value["fingerprint"]),
    )


def _mapping(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("expected an object")
    return value


def _lists(value: object) -> list[list[str]]:
    if not isinstance(value, list):
        raise TypeError("expected an array")
    return value


def _rows(value: object) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError("expected an array of objects")
    return value
