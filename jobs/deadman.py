"""The dead-man's switch: an outside monitor hears from us after each finished night, and pages when it does not."""

from __future__ import annotations

import http.client
import logging
from urllib.parse import urlsplit

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 10


def ping(url: str | None) -> bool:
    """Ask for the monitor's address; True when it answered well. Never raises: silence is what it watches for."""
    if not url:
        return False
    parts = urlsplit(url)
    kinds = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}
    kind = kinds.get(parts.scheme)
    if kind is None or not parts.hostname:
        log.error("the dead-man's switch has no usable address")
        return False
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = kind(parts.hostname, parts.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", target, headers={"User-Agent": "rollcall"})
            is_well = bool(connection.getresponse().status < http.client.BAD_REQUEST)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        is_well = False
    if not is_well:
        log.error("the outside monitor could not be reached")
    return is_well
