"""The wire to DPC: one session, an allow-list of origins, bounded answers, reads repeated and writes never."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from service.domain.errors import NotAllowed, Refusal
from service.dpc.answers import Answer, read_http_date
from service.dpc.errors import DpcError, DpcProtocolError, DpcUnavailable, OutcomeUnknown
from service.dpc.wire import WatchedAdapter, forget_written, is_loopback, is_written

_CHUNK = 256 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REPEATABLE = frozenset({500, 502, 503, 504})


class Effect(Enum):
    """What a request may do: READ is repeated, ASK (a token) is sent once and changes nothing, WRITE is sent once."""

    READ = "read"
    ASK = "ask"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete but for what the session adds; headers may hold a token and never show."""

    method: str
    url: str = field(repr=False)
    effect: Effect
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Limits of the wire. DPC's own inner time-out is 20 s, so 45 s let it speak first (contract-v1 2.4)."""

    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 45.0
    read_tries: int = 3
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 20.0
    answer_limit_bytes: int = 64 * 1024 * 1024


def read_origin(url: str) -> str:
    """Answers scheme, host and port of an address, in one spelling.

    Raises NotAllowed for anything but http(s) without user, and for http to another machine.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or parts.fragment:
        raise NotAllowed("The address of the DPC server is not a plain https address.")
    if parts.scheme == "http" and not is_loopback(host):
        raise NotAllowed("DPC is only spoken to over https, except on this machine.")
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise NotAllowed("The address of the DPC server has no usable port.") from None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}"


class Transport:
    """Sends requests to allowed origins only; knows how many were sent and how far the server's clock is off."""

    def __init__(
        self,
        allowed_origins: Collection[str],
        *,
        clock: Callable[[], datetime],
        options: TransportOptions | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._origins = frozenset(read_origin(origin) for origin in allowed_origins)
        self._clock = clock
        self._options = options or TransportOptions()
        self._sleep = sleep
        self._jitter = random.SystemRandom()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies, no .netrc, no CA bundle from the environment
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchedAdapter())
        self.request_count = 0
        self.clock_offset: timedelta | None = None

    def close(self) -> None:
        """Closes every connection."""
        self._session.close()

    def check_origin(self, url: str) -> None:
        """Raises NotAllowed unless the address lies on an allowed origin; nothing is connected."""
        if read_origin(url) not in self._origins:
            raise NotAllowed(
                "This DPC server is not on the list of allowed origins.",
                next_action="Add its origin to the allowed DPC origins of this installation, if it is right.",
            )

    def read_server_now(self) -> datetime:
        """Answers the server's time as far as its `Date` headers have told, else our own."""
        return self._clock() + (self.clock_offset or timedelta())

    def send(self, request: Request) -> Answer:
        """Answers what the server said, whatever the status; only reads are repeated (after 5xx or a broken answer).

        Raises NotAllowed for a foreign origin, DpcUnavailable when the request took no effect, OutcomeUnknown when a
        write may have, DpcProtocolError for an answer beyond the limit.
        """
        self.check_origin(request.url)
        tries = self._options.read_tries if request.effect is Effect.READ else 1
        for tried in range(1, tries):
            try:
                answer = self._send_once(request)
            except DpcUnavailable:
                self._wait(tried)
                continue
            if answer.status not in _REPEATABLE:
                return answer
            self._wait(tried)
        return self._send_once(request)

    def _wait(self, tried: int) -> None:
        longest = min(self._options.backoff_cap_seconds, self._options.backoff_base_seconds * 2 ** (tried - 1))
        self._sleep(self._jitter.uniform(0, longest))

    def _send_once(self, request: Request) -> Answer:
        self.request_count += 1
        forget_written()
        try:
            return self._exchange(request)
        except (Refusal, DpcError):
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._build_breakage(request.effect, error) from None

    def _exchange(self, request: Request) -> Answer:
        deadline = time.monotonic() + self._options.connect_timeout_seconds + self._options.read_timeout_seconds
        with self._session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            timeout=(self._options.connect_timeout_seconds, self._options.read_timeout_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            self._learn_offset(headers)
            body = self._read_body(request.effect, response.raw, deadline)
            return Answer(response.status_code, headers, body)

    def _read_body(self, effect: Effect, raw: Any, deadline: float) -> bytes:
        """Reads piece by piece: a socket's time-out alone would wait for ever for a server that drips."""
        pieces: list[bytes] = []
        size = 0
        while piece := raw.read1(_CHUNK, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > self._options.answer_limit_bytes:
                raise _build_oversize(effect)
            if time.monotonic() > deadline:
                raise TimeoutError("the answer took too long")
        return b"".join(pieces)

    def _learn_offset(self, headers: Mapping[str, str]) -> None:
        said_at = read_http_date(headers.get("date", ""))
        if said_at is not None:
            self.clock_offset = said_at - self._clock()

    def _build_breakage(self, effect: Effect, error: Exception) -> DpcError:
        """The texts of the cause stay out: they quote addresses and, for some libraries, headers."""
        cause = type(error).__name__
        if effect is Effect.WRITE and is_written():
            return OutcomeUnknown(f"The connection broke after a write was sent ({cause}).")
        return DpcUnavailable(f"DPC could not be reached or did not answer ({cause}).")


def _build_oversize(effect: Effect) -> DpcError:
    message = "The answer is larger than any answer of DPC may be."
    return OutcomeUnknown(message) if effect is Effect.WRITE else DpcProtocolError(message)
