"""Record who looked at patient values, before anything of it is shown (45 CFR 164.312(b))."""

from __future__ import annotations

from service.domain.people import Actor
from service.runtime import Runtime
from service.storage import people
from service.storage.connection import Connection


def note_access(
    rt: Runtime, connection: Connection, organization_id: str, actor: Actor, action: str, subject: str, rows: int
) -> None:
    """Write one line of the access log; `subject` is a handle, never a value. Without the line there is no look."""
    people.record_access(
        connection,
        organization_id,
        people.Access(at=rt.now(), actor=actor.name, action=action, subject=subject, rows=rows),
    )
