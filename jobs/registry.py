"""Every job of the clock process by name."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.checkpoint import CHECKPOINT
from jobs.digest import DIGEST
from jobs.expiry import EXPIRY
from jobs.job import Job
from jobs.nightly import NIGHTLY
from jobs.settle import SETTLE
from jobs.tidy import TIDY

JOBS: Mapping[str, Job] = {job.name: job for job in (NIGHTLY, EXPIRY, DIGEST, SETTLE, CHECKPOINT, TIDY)}
