"""The refusals of Rollcall: a rule saying no, in one sentence for people, with the next action.

    Refusal
    ├── InvalidInput            what was sent or typed cannot be read as what it claims to be
    │   └── UnreadableFile      a roster file is refused whole, with its reason
    ├── NotFound                nothing of that name in this organisation
    ├── Conflict                what is asked contradicts what is already recorded
    │   ├── StalePlan           DPC or the rosters have changed since the plan was drawn
    │   ├── WrongState          the thing is not in a state that allows this step
    │   └── Busy                somebody else is writing to this Group or file now
    ├── NotAllowed              this person or machine may not do this
    │   └── NotAuthenticated    nobody knows who is asking
    ├── Unsigned                no sign-off or standing authorisation covers the plan
    ├── AttestationRefused      the Provenance that would be sent breaks the profile or the plan
    ├── AppliesSwitchedOff      sending to DPC is switched off for this organisation
    └── LedgerBroken            the ledger does not verify

A finding (bad row) is data and never an exception; a breakage (the outside failing) has its own tree in
`service.dpc.errors`.
"""

from __future__ import annotations


class Refusal(Exception):
    """A rule said no; the answer says why, and what to do about it.

    `message` is one sentence for people, `next_action` what to do about it, `at_terminal` the same as a command for
    whoever sits at a terminal, `code` for machines; no text ever holds a patient value.
    """

    code = "refused"
    default_next_action = "Read the message, correct what it names and try again."

    def __init__(
        self,
        message: str,
        *,
        next_action: str | None = None,
        code: str | None = None,
        at_terminal: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_action = next_action or self.default_next_action
        self.at_terminal = at_terminal
        if code is not None:
            self.code = code


class InvalidInput(Refusal):
    """What was sent or typed cannot be read as what it claims to be."""

    code = "invalid_input"


class UnreadableFile(InvalidInput):
    """A roster file is refused whole; the code is the file error."""

    code = "unreadable_file"
    default_next_action = "Send the file again in one of the accepted shapes."


class NotFound(Refusal):
    """Nothing of that name exists in this organisation; a foreign id answers the same."""

    code = "not_found"
    default_next_action = "Check the name or id; lists show what exists."


class Conflict(Refusal):
    """What is asked contradicts what is already recorded."""

    code = "conflict"


class StalePlan(Conflict):
    """DPC or the rosters have changed since the plan was drawn, so its signature covers nothing any more."""

    code = "stale_plan"
    default_next_action = "Draw a new plan, read it and sign that one."


class WrongState(Conflict):
    """The thing is not in a state that allows this step."""

    code = "wrong_state"


class Busy(Conflict):
    """Somebody else is writing to this Group or database now."""

    code = "busy"
    default_next_action = "Wait until the other run has ended and try again."


class NotAllowed(Refusal):
    """This person or machine may not do this."""

    code = "not_allowed"
    default_next_action = "Ask an administrator for the role that this step needs."


class NotAuthenticated(NotAllowed):
    """Nobody knows who is asking."""

    code = "not_authenticated"
    default_next_action = "Log in, or ask for a token, and try again."


class Unsigned(Refusal):
    """No sign-off or standing authorisation covers the plan."""

    code = "unsigned"
    default_next_action = "Have a person with the attester role read and sign the plan."


class AttestationRefused(Refusal):
    """The Provenance that would be sent breaks the profile, or names somebody else than the plan does."""

    code = "attestation_refused"


class AppliesSwitchedOff(Refusal):
    """Sending to DPC is switched off for this organisation."""

    code = "applies_off"
    default_next_action = "Find out why it was switched off; then switch it on for the organisation."


class LedgerBroken(Refusal):
    """The ledger does not verify."""

    code = "ledger_broken"
    default_next_action = "Stop applying, keep the database as it is and compare it with the published checkpoints."
