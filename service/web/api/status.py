"""The state of the organisation over HTTP."""

from __future__ import annotations

from typing import Any

from schemas.api.status import StatusPage
from service.web.access import for_machines, load_organization_id
from service.web.api.section import Route, Section
from service.web.places import find_runtime
from service.workflows.status import show_status

section = Section("status", "When it last ran, and when it runs next.")


@section.route(Route("/status", StatusPage), for_machines())
def get_status() -> Any:
    """Read when the organisation last ran and last changed, when it runs next, and what is held."""
    return {"items": show_status(find_runtime(), [load_organization_id()])}
