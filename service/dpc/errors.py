"""The breakages of DPC: what went wrong outside, sorted by what may be done next.

    DpcError
    ├── DpcUnavailable          certainly no effect: no connection, or a read that stayed without answer
    ├── OutcomeUnknown          a write of which nobody can say whether it took effect: only reading can tell
    ├── DpcProtocolError        an answer to a read that cannot be read as what was asked for
    └── DpcRefused              a definite no; nothing was changed (though DPC has logged the attestation)
        ├── RosterLimitReached  the Group would hold more patients than DPC allows, inactive ones included
        ├── GroupExists         the practitioner has a Group already
        ├── UnknownPatients     some patients are not registered; DPC tells only how many (`count`)
        ├── NotAttributed       a patient to be removed was never attributed, or was purged
        ├── NotAuthorized       the credentials were refused, also with a fresh token
        ├── NotFoundAtDpc       no such thing in this organisation; a foreign id answers the same
        └── EdgeRefused         something in front of DPC said no (`retry_after` seconds, if it told)

`text` is what DPC said, scrubbed and cut; it never holds an identifier, a date or an address.
"""

from __future__ import annotations

import re

TEXT_LIMIT = 500

_SCRUBS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(duplicate key value violates unique constraint).*", re.IGNORECASE | re.DOTALL), r"\1"),
    (re.compile(r"(Invalid attribute value).*", re.DOTALL), r"\1"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "[address]"),
    (
        re.compile(r"\d-?[A-Z]-?[A-Z0-9]-?\d-?[A-Z]-?[A-Z0-9]-?\d-?[A-Z]-?[A-Z]-?\d-?\d", re.IGNORECASE),
        "[mbi]",
    ),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "[id]"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b"), "[date]"),
    (re.compile(r"[\x00-\x1f\x7f]+"), " "),
)


def scrub_text(text: str) -> str:
    """Answers the text without identifiers, dates, addresses and control characters, at most 500 characters.

    DPC repeats MBIs, SQL rows and internal addresses in its texts (contract-v1 2.4, 14 no. 29).
    """
    text = text[: TEXT_LIMIT * 8]
    for pattern, replacement in _SCRUBS:
        text = pattern.sub(replacement, text)
    return text.strip()[:TEXT_LIMIT]


class DpcError(Exception):
    """DPC failed, or the way to it.

    `status` is that of HTTP, None without an answer; `text` is what DPC said, scrubbed.
    """

    code = "dpc_error"
    default_next_action = "Look at the text; ask DPC's support if it does not explain itself."

    def __init__(
        self, message: str, *, status: int | None = None, text: str = "", next_action: str | None = None
    ) -> None:
        self.message = scrub_text(message)
        self.status = status
        self.text = scrub_text(text)
        self.next_action = next_action or self.default_next_action
        parts = [self.message, f"(status {status})" if status else "", f": {self.text}" if self.text else ""]
        super().__init__(" ".join(part for part in parts if part).replace(" :", ":"))


class DpcUnavailable(DpcError):
    """The request certainly took no effect: no connection was made, or a read stayed without a usable answer."""

    code = "dpc_unavailable"
    default_next_action = "Nothing was changed; try again later."


class OutcomeUnknown(DpcError):
    """A write was sent and nobody can say whether it took effect (contract-v1 2.4 a: the backend may still commit)."""

    code = "outcome_unknown"
    default_next_action = "Wait, then read the Group before anything else is sent to it."


class DpcProtocolError(DpcError):
    """The answer to a read is not what was asked for."""

    code = "dpc_protocol_error"
    default_next_action = "Check the base address and the dialect of the connection."


class DpcRefused(DpcError):
    """DPC said no and changed nothing.

    `kind` names the reason for machines.
    """

    code = "dpc_refused"
    default_next_action = "Correct what the text names; the same request will be refused again."

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        text: str = "",
        next_action: str | None = None,
        kind: str = "refused",
    ) -> None:
        super().__init__(message, status=status, text=text, next_action=next_action)
        self.kind = kind


class RosterLimitReached(DpcRefused):
    """The Group would hold more distinct patients than DPC allows, inactive ones included (contract-v1 9.5)."""

    code = "roster_limit_reached"
    default_next_action = "Lower the organisation's patient limit to what DPC accepts, then plan again."


class GroupExists(DpcRefused):
    """The practitioner has a Group in this organisation already (contract-v1 9.4)."""

    code = "group_exists"
    default_next_action = "Read the Groups again and plan against the one that exists."


class UnknownPatients(DpcRefused):
    """So many patients of the request are not registered; DPC does not say which (contract-v1 9.4)."""

    code = "unknown_patients"
    default_next_action = "Read the patients again and register those that are missing."

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        text: str = "",
        next_action: str | None = None,
        kind: str = "unknown_patients",
        count: int = 0,
    ) -> None:
        super().__init__(message, status=status, text=text, next_action=next_action, kind=kind)
        self.count = count


class NotAttributed(DpcRefused):
    """A patient to be removed has no row in the Group, so the whole removal was refused (contract-v1 9.4)."""

    code = "not_attributed"
    default_next_action = "Read the Group again and remove only patients that it lists."


class NotAuthorized(DpcRefused):
    """The credentials were refused with a fresh token too; DPC does not say why (contract-v1 3.2)."""

    code = "not_authorized"
    default_next_action = "Check the client token, the key and the clock of this organisation's connection."


class NotFoundAtDpc(DpcRefused):
    """Nothing of that id exists in this organisation; a foreign id answers the same (contract-v1 3.1)."""

    code = "not_found_at_dpc"
    default_next_action = "Read the organisation's Groups, patients and practitioners again."


class EdgeRefused(DpcRefused):
    """Something in front of DPC refused: an address that is not listed, or too many requests (contract-v1 1.1)."""

    code = "edge_refused"
    default_next_action = "Check that this host's address is registered with DPC, and send fewer requests."

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        text: str = "",
        next_action: str | None = None,
        kind: str = "edge",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, text=text, next_action=next_action, kind=kind)
        self.retry_after = retry_after
