"""One call to the preview: its transaction, the operator's token, and the body it was sent."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from flask import request
from sqlalchemy import Connection, insert, select

from service.emulator.answers import Refused, refuse, refuse_credentials, refuse_json, refuse_missing_credentials
from service.emulator.clock import to_us
from service.emulator.preview.tables import tokens
from service.emulator.state import State
from service.emulator.tables import organizations
from service.emulator.wire import ENTRY

BASE = "/fhir/v1"
ACCEPTED = ("*/*", "application/*", "application/fhir+json", "application/json")


@dataclass(slots=True)
class Call:
    """One request within its transaction; `organization_id` is empty on /metadata."""

    state: State
    connection: Connection
    now: datetime
    organization_id: str = ""

    @property
    def now_us(self) -> int:
        """Now in microseconds since 1970."""
        return to_us(self.now)

    @property
    def base(self) -> str:
        """The public base URL of the preview."""
        return self.state.public_url.removesuffix("/api") + BASE

    def mark_effect(self) -> None:
        """Tell the journal that this request changed something; called after the last write."""
        request.environ[ENTRY]["effect"] = True

    def note_patients(self, count: int) -> None:
        """Tell the journal how many patients the request names."""
        request.environ[ENTRY]["patients"] = count


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(connection: Connection, organization_id: str) -> str:
    """A bearer token as the operator hands it out: opaque, without end. Refuses an unknown organisation with 404."""
    query = select(organizations.c.id).where(organizations.c.id == organization_id)
    if connection.execute(query).first() is None:
        raise refuse_json(404)
    token = secrets.token_urlsafe(32)
    connection.execute(insert(tokens), {"digest": _digest(token), "organization_id": organization_id})
    return token


def authenticate(call: Call) -> None:
    """Find the organisation of the bearer; 401 without a token or with one that nobody handed out."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise refuse_missing_credentials()
    query = select(tokens.c.organization_id).where(tokens.c.digest == _digest(token.strip()))
    organization_id: str | None = call.connection.execute(query).scalar()
    if organization_id is None:
        raise refuse_credentials()
    call.organization_id = organization_id
    request.environ[ENTRY]["organization_id"] = organization_id


def check_accept() -> None:
    """415 unless the caller takes FHIR in JSON; /jobs and /data do not ask."""
    accept = request.headers.get("Accept", "").strip() or "*/*"
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if not any(kind in ACCEPTED for kind in kinds):
        raise refuse(415, "`Accept:` header must specify valid FHIR content type")


def read_body(resource_type: str) -> Mapping[str, Any]:
    """The resource sent, bare or under `resource` as the documentation shows it; 400 for anything else."""
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError as broken:
        raise _refuse_body(str(broken.msg)) from broken
    if isinstance(body, dict) and isinstance(body.get("resource"), dict):
        body = body["resource"]
    if not isinstance(body, dict) or body.get("resourceType") != resource_type:
        raise _refuse_body(f"a {resource_type} is expected")
    checked: Mapping[str, Any] = body
    return checked


def _refuse_body(reason: str) -> Refused:
    return refuse(400, f"Failed to parse JSON encoded FHIR content: {reason}")


def as_objects(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; a single object stands for a list of one, as the documentation writes it."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def as_object(value: object) -> Mapping[str, Any]:
    """An object, empty when there is none."""
    return value if isinstance(value, dict) else {}


def build_bundle(resources: list[Any]) -> dict[str, Any]:
    """A searchset with its total."""
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
