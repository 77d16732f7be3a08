"""One call to version 2: its transaction, and what the checks before it found out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from flask import request
from sqlalchemy import Connection

from service.emulator.clock import to_us
from service.emulator.state import State
from service.emulator.wire import ENTRY

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(slots=True)
class Call:
    """One request within its transaction; `organization_id` is empty on public endpoints."""

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
        """The public base URL of version 2."""
        return self.state.public_url + "/v2"

    def mark_effect(self) -> None:
        """Tell the journal that this request changed something; called after the last write."""
        request.environ[ENTRY]["effect"] = True

    def note_organization(self, organization_id: str) -> None:
        """Tell the journal who is asking."""
        request.environ[ENTRY]["organization_id"] = organization_id

    def note_patients(self, count: int) -> None:
        """Tell the journal how many patients the body names."""
        request.environ[ENTRY]["patients"] = count


def find_uuid(text: str) -> str | None:
    """The canonical form of a UUID, or None."""
    return text.lower() if _UUID.fullmatch(text) else None
