"""The job that signs the ledger's root every five minutes in which something was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.job import Job
from service.runtime import Runtime
from service.workflows.prove import make_checkpoint


def checkpoint_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Sign a checkpoint if the ledger has grown since the last one."""
    made = make_checkpoint(rt, organization_id)
    return {"size": made.size} if made else {}


CHECKPOINT = Job("checkpoint", "sign the ledger's root when it has grown", 300, checkpoint_one)
