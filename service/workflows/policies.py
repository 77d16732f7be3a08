"""The policy of one organisation, from its record."""

from __future__ import annotations

from datetime import timedelta

from service.domain.policy import Policy
from service.storage.organizations import Organization


def read_policy(organization: Organization) -> Policy:
    """Answer the numbers by which this organisation's plans are drawn."""
    return Policy(
        patient_limit=organization.patient_limit,
        renew_within=timedelta(days=organization.renew_within_days),
        evidence_max_age=timedelta(days=organization.evidence_max_age_days),
    )
