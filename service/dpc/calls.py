"""One authorised call to DPC: a token, one repetition after a 401, and an answer read or the right breakage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.dpc.answers import Answer, Unreadable, build_failure, read_json
from service.dpc.auth import TokenSource
from service.dpc.checks import check_headers_size
from service.dpc.dialects.v1 import FHIR
from service.dpc.errors import DpcProtocolError, OutcomeUnknown
from service.dpc.transport import Effect, Request, Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """What one verb sends; `path` begins with a slash and holds no patient value."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    effect: Effect = Effect.READ
    media: str = FHIR
    provenance: str | None = field(default=None, repr=False)
    request_id: str | None = None


class CallDesk:
    """Sends calls with the organisation's token and reads what comes back."""

    def __init__(self, base_url: str, transport: Transport, tokens: TokenSource) -> None:
        self._base_url = base_url
        self._transport = transport
        self._tokens = tokens

    def read(self, call: Call, read_answer: Callable[[dict[str, Any]], T]) -> T:
        """Answers what `read_answer` makes of the body; raises DpcProtocolError when it makes nothing of it."""
        answer = self.send(call)
        try:
            return read_answer(read_json(answer))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            reason = _name_reason(error)
            raise DpcProtocolError(f"An answer cannot be read: {reason}.", status=answer.status) from None

    def write(self, call: Call, read_answer: Callable[[dict[str, Any]], T]) -> T:
        """Like `read`, but a success that cannot be read, or shows less than intended, is OutcomeUnknown."""
        answer = self.send(call)
        try:
            return read_answer(read_json(answer))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            reason = _name_reason(error)
            raise OutcomeUnknown(
                f"DPC reported success, but its answer does not show it: {reason}.", status=answer.status
            ) from None

    def send(self, call: Call) -> Answer:
        """Answers a success; after a 401, which is a definite no, once more with a fresh token (contract-v1 3.2)."""
        answer = self._send_once(call)
        if answer.status == 401:
            self._tokens.discard_token()
            answer = self._send_once(call)
        if not answer.is_success:
            raise build_failure(answer, is_write=call.effect is Effect.WRITE)
        return answer

    def _send_once(self, call: Call) -> Answer:
        headers = self._build_headers(call)
        url = self._base_url + call.path
        return self._transport.send(Request(call.method, url, call.effect, headers, call.body))

    def _build_headers(self, call: Call) -> dict[str, str]:
        """A FHIR endpoint answers 415 for any other Accept, and a JSON endpoint 406 (contract-v1 1.3)."""
        headers = {"Accept": call.media, "Authorization": f"Bearer {self._tokens.load_token()}"}
        if call.body is not None:
            headers["Content-Type"] = call.media
        if call.provenance is not None:
            headers["X-Provenance"] = call.provenance
        if call.request_id is not None:
            headers["X-Request-Id"] = call.request_id
        check_headers_size(headers)
        return headers


def _name_reason(error: Exception) -> str:
    """Only our own words: those of other exceptions quote the body."""
    return str(error) if isinstance(error, Unreadable) else "a part is missing or malformed"
