"""What CMS's portal does for a customer by hand, done at an emulator on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from service.domain.errors import NotAllowed
from service.dpc.answers import build_failure
from service.dpc.dialects.v1 import read_instant
from service.dpc.errors import DpcProtocolError
from service.dpc.transport import Effect, Request, Transport, TransportOptions
from service.dpc.wire import is_loopback

_OPTIONS = TransportOptions(connect_timeout_seconds=2.0, read_timeout_seconds=10.0, read_tries=1)


def create_organization(base_url: str, npi: str, name: str) -> tuple[str, str]:
    """Answers (organisation id, client token) of a new organisation; `base_url` is the emulator's origin.

    Like all here: raises NotAllowed unless the emulator is on this machine, DpcUnavailable when it does not answer,
    DpcRefused when it says no.
    """
    tree = _ask(base_url, "POST", "/_emulator/organizations", {"npi": npi, "name": name})
    return _pick(tree, "id"), _pick(tree, "client_token")


def register_first_key(base_url: str, organization_id: str, public_pem: str, signature: str, label: str) -> str:
    """Answers the id of an organisation's first key; later ones are posted with a token."""
    body = {"key": public_pem, "signature": signature, "label": label}
    return _pick(_ask(base_url, "POST", f"/_emulator/organizations/{organization_id}/keys", body), "id")


def advance_clock(base_url: str, duration: str) -> None:
    """Moves the emulator's clock forward by an ISO 8601 duration, such as `P76D`."""
    _ask(base_url, "POST", "/_emulator/clock", {"advance": duration})


def read_clock(base_url: str) -> datetime:
    """Answers the emulator's time as an aware UTC datetime."""
    try:
        return read_instant(_pick(_ask(base_url, "GET", "/_emulator/clock"), "now"))
    except ValueError:
        raise DpcProtocolError("The emulator's clock cannot be read.") from None


def read_log(base_url: str) -> list[dict[str, Any]]:
    """Answers every request that the emulator has seen, with method, path, status and effect, oldest first."""
    tree = _ask(base_url, "GET", "/_emulator/log")
    entries = tree.get("entries") if isinstance(tree, dict) else tree
    if not isinstance(entries, list):
        raise DpcProtocolError("The emulator's log cannot be read.")
    return entries


def _ask(base_url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request on its own session; the clock of these calls is this machine's."""
    if not is_loopback(urlsplit(base_url).hostname or ""):
        raise NotAllowed(
            "The portal's work is done by hand at CMS; only an emulator on this machine takes it.",
            next_action="Give an address such as http://127.0.0.1:3002, or connect with --base-url.",
        )
    effect = Effect.READ if method == "GET" else Effect.ASK
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    sent = None if body is None else orjson.dumps(body)
    transport = Transport([base_url], clock=lambda: datetime.now(UTC), options=_OPTIONS)
    try:
        answer = transport.send(Request(method, base_url.rstrip("/") + path, effect, headers, sent))
    finally:
        transport.close()
    if not answer.is_success:
        raise build_failure(answer, is_write=False)
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise DpcProtocolError("The emulator's answer is not JSON.", status=answer.status) from None


def _pick(tree: Any, name: str) -> str:
    value = tree.get(name) if isinstance(tree, dict) else None
    if not isinstance(value, str):
        raise DpcProtocolError(f"The emulator's answer lacks `{name}`.")
    return value
