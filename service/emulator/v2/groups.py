"""Group: a list that is new with every request and can never be read again (contract-v2 5)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Response, request
from sqlalchemy import exc, func, insert, select

from service.emulator.v2 import tables
from service.emulator.v2.answers import Kind, build_answer, build_body, build_meta, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.group_bodies import read_group
from service.emulator.v2.provenance import check_provenance


def create_group(call: Call) -> Response:
    """200 with the stored Group, no Location; identical bodies make twins (contract-v2 5.1)."""
    check_provenance(call)
    body = read_group(request.get_data())
    call.note_patients(len(body.get("member", [])))
    row = _save(call, body)
    call.mark_effect()
    return build_answer(build_body(_build_view(call, row)))


def _save(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """`version` counts the organisation's Groups before this one (contract-v2 5.4)."""
    earlier = select(func.count()).where(tables.groups.c.organization_id == call.organization_id)
    row = {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "version": call.connection.execute(earlier).scalar() or 0,
        "created_us": call.now_us,
        "body": body,
    }
    try:
        call.connection.execute(insert(tables.groups), row)
    except exc.IntegrityError:  # the organisation is gone, its token is not
        raise refuse(422, "Failed to save group", Kind.FAULT) from None
    return row


def _build_view(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": row["id"],
        "meta": build_meta("Group", row["id"], row["version"], call.now),
        "managingEntity": {"reference": f"Organization/{call.organization_id}"},
        **row["body"],
    }
