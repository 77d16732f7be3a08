"""The one table from error class to HTTP."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from types import ModuleType

import pytest

from service.domain import errors as refusals
from service.dpc import errors as dpc
from service.storage import errors as storage
from service.web.problems import PROBLEM_TYPES, describe_error, describe_status

TREES = (refusals, dpc, storage)


def find_classes(module: ModuleType) -> set[type[Exception]]:
    return {
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    }


@pytest.mark.parametrize("module", TREES, ids=lambda module: module.__name__)
def test_every_class_of_error_has_its_own_line_in_the_table(module: ModuleType) -> None:
    assert find_classes(module) - PROBLEM_TYPES.keys() == set()


def test_the_table_names_no_class_that_is_gone() -> None:
    assert PROBLEM_TYPES.keys() - set().union(*map(find_classes, TREES)) == set()


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=lambda kind: kind.__name__)
def test_every_class_becomes_a_problem_with_a_next_action(kind: type[Exception]) -> None:
    problem = describe_error(kind("It did not work."))
    assert problem is not None
    assert problem.status == PROBLEM_TYPES[kind].status
    assert problem.detail == "It did not work."
    assert problem.next_action and problem.title and problem.code == kind.code  # type: ignore[attr-defined]


def test_a_class_that_is_derived_later_is_told_as_its_parent() -> None:
    class Stranger(refusals.NotFound):
        pass

    problem = describe_error(Stranger("Gone."))
    assert problem is not None and problem.status == HTTPStatus.NOT_FOUND


def test_an_error_of_nobody_is_no_known_problem() -> None:
    assert describe_error(ValueError("1S00E00AA00")) is None


def test_what_waiting_cures_says_how_long_to_wait() -> None:
    busy = describe_error(refusals.Busy("Busy."))
    edge = describe_error(dpc.EdgeRefused("Slow down.", retry_after=7.5))
    assert busy is not None and busy.retry_after == 30
    assert edge is not None and edge.retry_after == 7


def test_a_status_that_nobody_expects_is_told_as_our_own_failure() -> None:
    assert describe_status(418).status == 500


def test_a_problem_that_says_more_is_described_where_its_kind_is() -> None:
    told = describe_error(refusals.UnreadableFile("It is empty.", code="empty"))
    assert told is not None
    written = told.write_json("/here")
    assert (written["code"], written["type"]) == ("empty", "/api/docs#problem-unreadable_file")
