"""Every refusal and breakage as an HTTP status and an RFC 9457 problem, for machines and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from service.domain import errors as refusals
from service.dpc import errors as dpc
from service.storage import errors as storage
from service.workflows.deliveries import HEADING_ERRORS, DeliveryView

RETRY_SECONDS = 30
"""What `Retry-After` says when waiting is the next action."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What one class of error is called over HTTP; `may_retry` adds a Retry-After header."""

    status: HTTPStatus
    title: str
    may_retry: bool = False


PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {
    refusals.Refusal: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "Refused by a rule"),
    refusals.InvalidInput: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "The input cannot be read"),
    refusals.UnreadableFile: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "The file cannot be read"),
    refusals.NotFound: ProblemType(HTTPStatus.NOT_FOUND, "Not found"),
    refusals.Conflict: ProblemType(HTTPStatus.CONFLICT, "In conflict with what is recorded"),
    refusals.StalePlan: ProblemType(HTTPStatus.CONFLICT, "The plan is stale"),
    refusals.WrongState: ProblemType(HTTPStatus.CONFLICT, "Not possible in this state"),
    refusals.Busy: ProblemType(HTTPStatus.CONFLICT, "Somebody else is at work", may_retry=True),
    refusals.NotAllowed: ProblemType(HTTPStatus.FORBIDDEN, "Not allowed"),
    refusals.NotAuthenticated: ProblemType(HTTPStatus.UNAUTHORIZED, "Not logged in"),
    refusals.Unsigned: ProblemType(HTTPStatus.CONFLICT, "The plan is not signed"),
    refusals.AttestationRefused: ProblemType(HTTPStatus.CONFLICT, "The attestation was refused"),
    refusals.AppliesSwitchedOff: ProblemType(HTTPStatus.CONFLICT, "Sending is switched off"),
    refusals.LedgerBroken: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "The ledger does not verify"),
    dpc.DpcError: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC failed"),
    dpc.DpcUnavailable: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "DPC cannot be reached", may_retry=True),
    dpc.OutcomeUnknown: ProblemType(HTTPStatus.BAD_GATEWAY, "Nobody knows whether DPC did it"),
    dpc.DpcProtocolError: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC's answer cannot be read"),
    dpc.DpcRefused: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC refused"),
    dpc.RosterLimitReached: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC's limit is reached"),
    dpc.GroupExists: ProblemType(HTTPStatus.BAD_GATEWAY, "The Group exists at DPC"),
    dpc.UnknownPatients: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC does not know some patients"),
    dpc.NotAttributed: ProblemType(HTTPStatus.BAD_GATEWAY, "A patient is not attributed at DPC"),
    dpc.NotAuthorized: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC refused the credentials"),
    dpc.NotFoundAtDpc: ProblemType(HTTPStatus.BAD_GATEWAY, "DPC knows no such thing"),
    dpc.EdgeRefused: ProblemType(HTTPStatus.BAD_GATEWAY, "Refused in front of DPC"),
    storage.StorageError: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "The database failed"),
    storage.StorageUnavailable: ProblemType(
        HTTPStatus.SERVICE_UNAVAILABLE, "The database is not available", may_retry=True
    ),
    storage.AlreadyRecorded: ProblemType(HTTPStatus.CONFLICT, "Recorded already"),
    storage.RecordRefused: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "The database refused the record"),
    storage.SealBroken: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "A sealed value does not open"),
}
"""The one table from error class to HTTP; a test proves that it covers every class."""

KNOWN_ERRORS = (refusals.Refusal, dpc.DpcError, storage.StorageError)
"""The roots of the three trees."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as a caller sees it (RFC 9457); never holds a patient value or our insides.

    `kind` is the code under which the API's description has it; `code` may say more.
    """

    status: int
    title: str
    detail: str
    code: str
    next_action: str
    retry_after: int | None = None
    mistakes: tuple[str, ...] = ()
    kind: str | None = None

    def write_json(self, instance: str) -> dict[str, object]:
        """Answer the members of application/problem+json; `instance` is the path that was asked for."""
        body: dict[str, object] = {
            "type": f"/api/docs#problem-{self.kind or self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            "next_action": self.next_action,
        }
        return body | ({"mistakes": list(self.mistakes)} if self.mistakes else {})


_STATUS_ACTIONS: Mapping[int, tuple[str, str]] = {
    400: ("The request cannot be read.", "Correct the request and send it again."),
    401: ("Nobody knows who is asking.", "Log in, or ask for a token, and try again."),
    403: ("This is not allowed.", "Go back, reload the page and try again."),
    404: ("Nothing is at this address.", "Check the address; lists show what exists."),
    405: ("This address does not answer that method.", "See the API's description for the methods it answers."),
    406: ("This address has no answer of that kind.", "Ask for application/json or text/csv."),
    408: ("What was sent came too slowly, or stopped.", "Send it again without pauses; nothing of it was kept."),
    413: ("What was sent is too large.", "Send at most 64 MiB per file; split the roster by practitioner."),
    415: ("This content type is not accepted.", "Send the content type that the API's description names."),
    422: ("Some fields are missing or wrong.", "Correct the fields that are named and send it again."),
    503: ("Too much is waiting to be read.", "Wait as long as Retry-After says and send it again."),
}
_UNEXPECTED = ("Something went wrong on our side.", "Try again later; tell the operator the time if it stays so.")


def describe_error(error: Exception) -> Problem | None:
    """Answer the problem of an error of our trees, by its nearest class in the table; None for any other."""
    found = next((PROBLEM_TYPES[kind] for kind in type(error).__mro__ if kind in PROBLEM_TYPES), None)
    if found is None or not isinstance(error, KNOWN_ERRORS):
        return None
    retry_after = getattr(error, "retry_after", None)
    wait = int(retry_after) if retry_after else RETRY_SECONDS if found.may_retry else None
    return Problem(found.status, found.title, error.message, error.code, error.next_action, wait, kind=type(error).code)


def describe_rejected(delivery: DeliveryView) -> Problem:
    """Answer the problem of a file that was received and cannot be used: its fault, and where it is kept.

    Where a person may say which column is what, the next action is that, for the same file will do then.
    """
    found = PROBLEM_TYPES[refusals.UnreadableFile]
    return Problem(
        found.status,
        found.title,
        delivery.hold_reason or "",
        delivery.file_error or delivery.hold_code or refusals.UnreadableFile.code,
        f"{_tell_remedy(delivery)} Nothing of this one counts, and it is kept as delivery {delivery.number}.",
        kind=refusals.UnreadableFile.code,
    )


def describe_repeated(delivery: DeliveryView) -> Problem:
    """Answer the problem of a file whose own number belongs to another one: why it waits, and where it is kept."""
    found = PROBLEM_TYPES[refusals.Conflict]
    return Problem(
        found.status,
        found.title,
        delivery.hold_reason or "",
        delivery.hold_code or refusals.Conflict.code,
        f"Send the file with its own number; this one is kept as delivery {delivery.number} and waits for a person.",
        kind=refusals.Conflict.code,
    )


def _tell_remedy(delivery: DeliveryView) -> str:
    if delivery.decided_by:
        return "A person refused it. If that was a mistake, send it again with X-Roster-Again: true."
    if delivery.file_error not in HEADING_ERRORS:
        return "Send a file that is as the message says."
    condition = "Where the file has headings, an" if delivery.file_error == "header_unrecognised" else "An"
    return (
        f"{condition} administrator says once which is what: PATCH /api/v1/feeds/{delivery.feed_id} with "
        'settings.column_mapping, such as {"mbi": "Member No", "npi": "Doctor"}; then send the same file again. '
        "Otherwise send one with other headings."
    )


def describe_status(
    status: int,
    *,
    detail: str | None = None,
    mistakes: tuple[str, ...] = (),
    retry_after: int | None = None,
    next_action: str | None = None,
) -> Problem:
    """Answer the problem of a bare HTTP status; anything unknown is told as our own failure."""
    known = status if status in _STATUS_ACTIONS else 500
    sentence, usual_action = _STATUS_ACTIONS.get(known, _UNEXPECTED)
    phrase = HTTPStatus(known)
    code = phrase.name.lower()
    return Problem(known, phrase.phrase, detail or sentence, code, next_action or usual_action, retry_after, mistakes)
