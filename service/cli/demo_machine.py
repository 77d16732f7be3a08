"""The demo's EHR: a program that posts rosters over HTTP with its client's token, and follows what becomes of them."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode

from service.cli.demo_servers import HOST
from service.domain.errors import Refusal

PATIENCE_SECONDS = 60.0
_LOOK_EVERY = 0.1


class Machine:
    """One client of the HTTP API; asks for a fresh token for each delivery, since days pass between them."""

    def __init__(self, port: int, client_id: str, client_secret: str) -> None:
        self._port = port
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}

    def post_delivery(self, feed_id: str, body: bytes, as_of: str) -> dict[str, Any]:
        """Post one file and answer the delivery once it has been read; raises Refusal for any other end."""
        token = self._ask("POST", "/api/v1/token", urlencode(self._form).encode(), _FORM)["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        more = {"Content-Type": "text/csv", "X-Roster-As-Of": as_of}
        posted = self._ask("POST", f"/api/v1/feeds/{feed_id}/deliveries", body, headers | more)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while posted["state"] == "received":
            if time.monotonic() > deadline:
                raise Refusal("The service did not read a delivery in time.", next_action="Look at its log.")
            time.sleep(_LOOK_EVERY)
            posted = self._ask("GET", f"/api/v1/deliveries/{posted['id']}", None, headers)
        return posted

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {"Accept": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refusal(
                f"The service did not answer ({type(error).__name__}).", next_action="Look at its log."
            ) from None
        finally:
            connection.close()
        return _read_answer(answer.status, text)


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _read_answer(status: int, text: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(text)
    except ValueError:
        tree = None
    if status >= http.client.BAD_REQUEST or not isinstance(tree, dict):
        detail = tree.get("detail") or tree.get("title") if isinstance(tree, dict) else None
        raise Refusal(f"The service answered {status}: {detail or 'without a reason'}.", next_action="Look at its log.")
    return tree
