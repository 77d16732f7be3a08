"""Tables of who is working on what: leases with fencing tokens and runs of jobs.

Neither refers to an organisation, because some resources and jobs belong to the whole installation.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Table, Text

from service.storage.tables.types import JsonText, UtcDatetime, column, metadata, one_of, tenant

lease = Table(
    "lease",
    metadata,
    tenant(),
    column("resource", Text, key=True),
    column("holder", Text),
    column("token", BigInteger),
    column("until_at", UtcDatetime),
)

job_run = Table(
    "job_run",
    metadata,
    tenant(),
    column("job", Text, key=True),
    column("scheduled_for", UtcDatetime, key=True),
    column("state", Text),
    column("holder", Text, null=True),
    column("token", BigInteger),
    column("heartbeat_at", UtcDatetime, null=True),
    column("started_at", UtcDatetime, null=True),
    column("finished_at", UtcDatetime, null=True),
    column("detail", JsonText),
    one_of("state", "state", "claimed", "done", "failed", "missed"),
)
Index("ix_job_run_state", job_run.c.organization_id, job_run.c.state)
