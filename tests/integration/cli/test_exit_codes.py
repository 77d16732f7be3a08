"""One table says how every refusal and breakage ends a verb."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import service.domain.errors
import service.dpc.errors
import service.storage.errors
from service.cli.exit_codes import EXIT_CODES, ExitCode, find_exit_code
from service.domain.errors import InvalidInput, LedgerBroken, Refusal, StalePlan
from service.dpc.errors import DpcUnavailable
from service.settings import SettingsWrong


def list_exceptions(module: ModuleType) -> set[type[Exception]]:
    found = inspect.getmembers(module, inspect.isclass)
    return {kind for _, kind in found if issubclass(kind, Exception) and kind.__module__ == module.__name__}


@pytest.mark.parametrize("module", [service.domain.errors, service.dpc.errors, service.storage.errors])
def test_every_class_of_a_tree_is_in_the_table(module: ModuleType) -> None:
    listed = list_exceptions(module)
    assert listed
    assert listed - set(EXIT_CODES) == set()


def test_wrong_settings_are_in_the_table_and_nothing_else_is() -> None:
    known: set[type[Exception]] = {SettingsWrong}
    for module in (service.domain.errors, service.dpc.errors, service.storage.errors):
        known |= list_exceptions(module)
    assert set(EXIT_CODES) == known


def test_the_numbers_are_those_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "UNEXPECTED": 1,
        "USAGE": 2,
        "PLANNED": 10,
        "HELD": 11,
        "REFUSED": 12,
        "DPC": 13,
        "LEDGER": 14,
        "SETTINGS": 15,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StalePlan("x"), 12),
        (InvalidInput("x"), 2),
        (DpcUnavailable("x"), 13),
        (LedgerBroken("x"), 14),
        (SettingsWrong(["x"]), 15),
        (ZeroDivisionError(), 1),
    ],
)
def test_each_kind_of_failure_has_its_code(error: Exception, code: int) -> None:
    assert find_exit_code(error) == code


def test_a_class_that_is_not_listed_takes_the_code_of_its_nearest_ancestor() -> None:
    class NewRefusal(Refusal):
        pass

    assert find_exit_code(NewRefusal("x")) == ExitCode.REFUSED
