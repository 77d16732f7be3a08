"""What DPC says: Groups and the attributions in them, judged by their period and not by a flag that lags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

ATTRIBUTION_LASTS = timedelta(days=90)
"""What one attestation buys (contract-v1 9.4: configuration `expirationThreshold`)."""


class Status(StrEnum):
    """How one attribution stands at one moment."""

    ACTIVE = "active"
    EXPIRED = "expired"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Attribution:
    """One patient in one Group, as DPC last showed it; `mbi` is None for a patient we cannot name.

    `owned` says that Rollcall attested it or formally adopted it; only those may be removed.
    """

    patient_id: str
    mbi: str | None = field(repr=False)
    start_at: datetime
    end_at: datetime
    inactive: bool
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One practitioner's Group at DPC; `group_id` is None while there is none."""

    npi: str
    group_id: str | None
    attributions: tuple[Attribution, ...] = ()

    def by_mbi(self) -> Mapping[str, Attribution]:
        """The attributions of patients that we can name."""
        return {a.mbi: a for a in self.attributions if a.mbi is not None}


def judge(attribution: Attribution, now: datetime) -> Status:
    """Answer how an attribution stands: over means `period.end <= now`, whatever `inactive` says (contract-v1 14.6)."""
    if attribution.inactive:
        return Status.INACTIVE
    return Status.EXPIRED if attribution.end_at <= now else Status.ACTIVE


def is_active(attribution: Attribution, now: datetime) -> bool:
    """True while the attribution gives access to claims."""
    return judge(attribution, now) is Status.ACTIVE
