"""What DPC says reaches people without identifiers, dates and addresses."""

from __future__ import annotations

import inspect

import pytest

from service.dpc import errors

EVERY_CLASS = [
    found for found in vars(errors).values() if inspect.isclass(found) and issubclass(found, errors.DpcError)
]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("MBI: 1S00E00AA00 for patient: x does not match MBI format", "1S00E00AA00"),
        ("MBI: 1s00-e00-aa00 of somebody", "e00"),
        ("when performing POST to URL http://backend.internal:8080/v1/Group", "backend"),
        ("jdbc:postgresql://db/attribution failed", "db/attribution"),
        ("Patient/6d2bbb9e-7d6b-4d6c-bd2a-0000000000aa not found", "6d2bbb9e"),
        ('Invalid attribute value "01/02/1940": nonsense', "1940"),
        ("born 1940-02-01 somewhere", "1940"),
        ('duplicate key value violates unique constraint "x" Detail: Key (name)=(Doe) exists', "Doe"),
    ],
)
def test_texts_lose_what_points_to_a_person_or_a_machine(text: str, secret: str) -> None:
    error = errors.DpcRefused("DPC refused the request.", status=400, text=text)
    assert secret.lower() not in (str(error) + repr(error) + error.text).lower()


def test_texts_are_cut_and_stay_on_one_line() -> None:
    error = errors.OutcomeUnknown("x", text="line\nafter line " * 1000)
    assert len(error.text) <= 500
    assert "\n" not in str(error)


def test_a_plain_text_is_kept_as_it_is() -> None:
    assert errors.DpcRefused("No.", status=400, text="Roster limit reached").text == "Roster limit reached"


@pytest.mark.parametrize("found", EVERY_CLASS)
def test_every_class_has_a_code_of_its_own_a_next_action_and_a_place_in_the_tree(
    found: type[errors.DpcError],
) -> None:
    assert [other.code for other in EVERY_CLASS].count(found.code) == 1
    assert found("Something happened.").next_action
    assert found.__name__ in (errors.__doc__ or "")
