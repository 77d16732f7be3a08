"""Modules and functions stay small enough to be read in one go; whatever is longer has a reason."""

from __future__ import annotations

from tests.house.files import CODE, find_functions, list_modules, read_text

LONGEST_MODULE, LONGEST_FUNCTION = 400, 45

LONG_FOR_A_REASON = {
    "service/storage/migrations/versions/0001_first.py _create_delivery": "a list of tables, one after another",
    "service/workflows/digest.py _settle_delivery": "one transaction: every fact about a delivery or none",
    "service/workflows/holds.py decide_hold": "one transaction: the decision, its effect and its record",
    "service/workflows/plan.py _keep": "one transaction: the plan, its holds and their record",
    "service/workflows/sending.py _open_attempt": "what is written ahead of a call, in the order of the standard",
    "service/workflows/sign.py sign_plan": "one transaction: every reason not to sign, then the signature",
}


def test_a_module_has_at_most_400_lines() -> None:
    lengths = {path: len(read_text(path).splitlines()) for path in list_modules()}
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_a_function_has_at_most_45_lines_or_a_reason() -> None:
    long = {
        f"{path} {name}": length
        for path in list_modules(*CODE)
        for name, node in find_functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert {where: length for where, length in long.items() if where not in LONG_FOR_A_REASON} == {}


def test_every_reason_is_about_a_function_that_exists() -> None:
    known = {f"{path} {name}" for path in list_modules(*CODE) for name, _ in find_functions(path)}
    assert LONG_FOR_A_REASON.keys() <= known
