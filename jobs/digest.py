"""The job that reads deliveries which were received and not yet looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.job import Job
from service.domain.errors import Busy, WrongState
from service.runtime import Runtime
from service.workflows.deliveries import find_deliveries
from service.workflows.digest import digest_delivery


def digest_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Digest an organisation's received deliveries in order of arrival; one that somebody else reads is left alone.

    One that breaks does not keep the others waiting; its trouble is raised when they are done.
    """
    waiting = find_deliveries(rt, organization_id, state="received", limit=500)
    done, troubles = 0, []
    for delivery in reversed(waiting):
        try:
            digest_delivery(rt, organization_id, delivery.id)
            done += 1
        except (Busy, WrongState):
            continue
        except Exception as trouble:
            troubles.append(trouble)
    if troubles:
        raise troubles[0]
    return {"digested": done} if done else {}


DIGEST = Job("digest", "read deliveries that were received and not yet looked at", 5, digest_one)
