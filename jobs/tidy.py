"""The job that deletes what uploads left behind whose process died."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.job import Job
from service.runtime import Runtime
from service.workflows.tidy import delete_orphans


def tidy_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Delete an organisation's raw files that no delivery owns."""
    deleted = delete_orphans(rt, organization_id)
    return {"deleted": deleted} if deleted else {}


TIDY = Job("tidy", "delete raw files that no delivery owns", 3600, tidy_one)
