"""The numbers that an organisation's plans are drawn by, each beside the decision that set it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

CAPACITY_WARNING_PERCENT = 90
"""A Group is reported as nearly full from this share of the limit on."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """When changes wait for a person, in percent of what is active and as a count below which percent means nothing.

    A `hold` needs one person, a `hard stop` two. Removals are counted together with those of the past seven days, so
    that a slow drain trips like a fast one. Adds are guarded only where a Group already has active patients: a first
    load is what the sign-off itself is for.
    """

    removals_floor: int = 5
    group_removals_hold: int = 5
    group_removals_stop: int = 20
    organization_removals_hold: int = 2
    organization_removals_stop: int = 10
    adds_floor: int = 20
    group_adds_hold: int = 10
    group_adds_stop: int = 50
    memory: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Policy:
    """How one organisation renews, fills and fears.

    `patient_limit` counts the patients that DPC stores in one Group, inactive ones included (contract-v1 9.5); the old
    documentation says 5,000. `renew_within` and `list_within` are the time left at which a renewal is due and listed.
    `evidence_max_age` is the age up to which a delivery supports an attestation. `call_size` bounds one call, because
    the server gives up after 20 seconds (contract-v1 14.27).
    """

    patient_limit: int = 5000
    renew_within: timedelta = timedelta(days=15)
    list_within: timedelta = timedelta(days=30)
    evidence_max_age: timedelta = timedelta(days=35)
    call_size: int = 500
    guards: GuardLimits = GuardLimits()
