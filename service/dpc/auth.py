"""Access tokens: one signed assertion per request for a token, one token until shortly before it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt

from schemas.fhir import stu3
from service.dpc.answers import Answer, build_failure, read_json
from service.dpc.credentials import Credentials
from service.dpc.errors import DpcError, DpcUnavailable
from service.dpc.transport import Effect, Request, Transport

ASSERTION_LASTS = timedelta(
    seconds=240
)  # the server allows 300 s by its own clock, with no tolerance (contract-v1 4.3)
TOKEN_USED_FOR = timedelta(seconds=240)  # tokens live 300 s, with no tolerance either (contract-v1 3.2)
_SKEW = timedelta(seconds=5)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenSource:
    """Fetches and keeps the access token of one organisation; holds it in memory only."""

    def __init__(self, credentials: Credentials, transport: Transport, clock: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._token: str | None = None
        self._stale_at: datetime | None = None

    def load_token(self) -> str:
        """Answers a token that will live for about a minute at least, fetching one when needed.

        Raises NotAuthorized when the credentials are refused, DpcUnavailable when no answer came. A token from here
        does not prove that the credentials work: DPC gives one to deleted client tokens too (contract-v1 4.5).
        """
        now = self._clock()
        if self._token is None or self._stale_at is None or now >= self._stale_at:
            self._token, lasts = self._fetch_token()
            self._stale_at = self._clock() + lasts
        return self._token

    def discard_token(self) -> None:
        """Forgets the token, so that the next request fetches a fresh one."""
        self._token = None

    def _fetch_token(self) -> tuple[str, timedelta]:
        """Asks once, and once more when the refusal showed that the assertion was timed by a wrong clock."""
        assumed = self._transport.clock_offset or timedelta()
        answer = self._ask_token()
        learned = self._transport.clock_offset or timedelta()
        if answer.status == 401 and abs(learned - assumed) > _SKEW:
            answer = self._ask_token()
        if not answer.is_success:
            raise _build_token_failure(answer)
        return _read_token(answer)

    def _ask_token(self) -> Answer:
        form = {
            "scope": "system/*.*",
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self.build_assertion(),
        }
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode("ascii")
        return self._transport.send(Request("POST", self._token_url, Effect.ASK, headers, body))

    @property
    def _token_url(self) -> str:
        return f"{self._credentials.base_url}/Token/auth"

    def build_assertion(self) -> str:
        """Answers a new RS384 assertion with an id of its own, timed by the server's clock (contract-v1 4.3).

        The server remembers each id for 5 minutes and refuses it a second time, so none is ever sent twice.
        """
        expires_at = self._transport.read_server_now() + ASSERTION_LASTS
        claims: dict[str, Any] = {
            "iss": self._credentials.client_token,
            "sub": self._credentials.client_token,
            "aud": self._token_url,
            "exp": int(expires_at.timestamp()),
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(
            claims, self._credentials.private_key, algorithm="RS384", headers={"kid": self._credentials.key_id}
        )


def _build_token_failure(answer: Answer) -> DpcError:
    """No token means that the call behind it was never sent, so an odd answer is unavailability, not doubt."""
    failure = build_failure(answer, is_write=False)
    if isinstance(failure, DpcUnavailable) or answer.status >= 400:
        return failure
    return DpcUnavailable("DPC gave no access token.", status=answer.status)


def _read_token(answer: Answer) -> tuple[str, timedelta]:
    try:
        fields = stu3.read_access_token(read_json(answer))
    except ValueError:
        raise DpcUnavailable("DPC gave an access token that cannot be read.", status=answer.status) from None
    lasts = timedelta(seconds=fields["expires_in"] * 0.8)
    return fields["access_token"], min(lasts, TOKEN_USED_FOR)
