"""The refusals: drawn as a tree, each with a code for machines and a next action for people."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service.domain import errors
from service.domain.errors import Refusal


def walk(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from walk(child)


REFUSALS: list[type[Refusal]] = [Refusal, *walk(Refusal)]


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_has_a_message_a_code_and_a_next_action(kind: type[Refusal]) -> None:
    refusal = kind("No.")
    assert (refusal.message, str(refusal)) == ("No.", "No.")
    assert re.fullmatch(r"[a-z_]+", refusal.code)
    assert refusal.next_action.endswith(".")
    told = kind("No.", next_action="Wait.", code="other")
    assert (told.next_action, told.code, kind("No.").code) == ("Wait.", "other", refusal.code)


def test_no_two_refusals_share_a_code() -> None:
    assert len({kind.code for kind in REFUSALS}) == len(REFUSALS)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"^    ([│ ├└─]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    parents: list[str] = []
    found = set()
    for branch, name in drawn:
        depth = len(branch) // 4
        parents[depth:] = [name]
        found.add((name, parents[depth - 1] if depth else "Exception"))
    assert found == {(kind.__name__, kind.__base__.__name__) for kind in REFUSALS if kind.__base__}
