"""The job that reads deliveries which were received and not yet looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.job import Job
from service.domain.errors import Busy, WrongState
from service.runtime import Runtime
from service.workflows.deliveries import iter_waiting
from service.workflows.digest import digest_delivery


def digest_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Digest an organisation's received deliveries in order of arrival; one that somebody else reads is left alone.

    One that breaks does not keep the others waiting; its trouble is raised when they are done.
    """
    done, troubles = 0, []
    for delivery_id in iter_waiting(rt, organization_id):
        try:
            digest_delivery(rt, organization_id, delivery_id)
            done += 1
        except (Busy, WrongState):
            continue
        except Exception as trouble:
            troubles.append(trouble)
    if troubles:
        raise troubles[0]
    return {"digested": done} if done else {}


DIGEST = Job("digest", "read deliveries that were received and not yet looked at", 5, digest_one)
