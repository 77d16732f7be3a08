"""What people type and what is kept in clear: reasons and settings hold no number of a patient."""

from __future__ import annotations

from service.domain.errors import InvalidInput
from service.domain.patient_numbers import holds_patient_number

_WITHOUT = (
    "Say it without the patient's number: it is kept as it is typed, and nine digits by themselves are taken for one."
)


def check_words(text: str, what: str) -> None:
    """Refuse a text with an MBI, HICN or Social Security number; `what` it is begins the sentence. InvalidInput."""
    if holds_patient_number(text):
        raise InvalidInput(
            f"{what} holds what looks like a patient's number: an MBI, an old Medicare number or an SSN.",
            next_action=_WITHOUT,
        )


def read_reason(text: str, whose: str) -> str:
    """Answer a reason without the space around it; raises InvalidInput for none, and for one with a patient's number.

    `whose` it is begins the sentence, such as "A decision".
    """
    reason = text.strip()
    if not reason:
        raise InvalidInput(
            f"{whose} needs a reason.", next_action="Write one sentence that an auditor will understand."
        )
    check_words(reason, "The reason")
    return reason
