"""The ledger: every recorded fact, and whether it still verifies."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from service.domain.people import Action
from service.web.access import for_people, load_organization_id
from service.web.api.paging import Page, read_number_cursor
from service.web.pages.blueprint import pages
from service.web.places import find_runtime
from service.workflows.prove import count_ledger_entries, find_checkpoints, find_ledger_entries, verify_ledger

PAGE_SIZE = 100


@pages.get("/ledger")
@for_people(Action.READ_ROSTERS)
def show_ledger() -> ResponseReturnValue:
    """Show the entries, newest first, the last checkpoint, and the result of verifying all of it now."""
    runtime, organization_id = find_runtime(), load_organization_id()
    newest = count_ledger_entries(runtime, organization_id)
    top = min(newest, max(0, (read_number_cursor(request.args.get("cursor")) or newest + 1) - 1))
    bottom = max(0, top - PAGE_SIZE)
    found = find_ledger_entries(runtime, organization_id, after_seq=bottom, limit=top - bottom) if top else []
    page = Page(found[::-1], str(bottom + 1) if bottom else None)
    return render_template(
        "ledger.html",
        page=page,
        verification=verify_ledger(runtime, organization_id),
        checkpoints=find_checkpoints(runtime, organization_id, limit=1),
        is_first=top == newest,
    )
