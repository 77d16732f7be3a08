"""What is written for spreadsheets, browsers and Markdown cannot be turned against whoever opens it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.cli.output import show_cell, to_json
from service.cli.plan_formats import guard_cell, write_csv, write_html, write_markdown
from service.workflows.plans import DiffRow, PanelDiff, PlanHead, PlanView, SignOffView

AT = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
NASTY = "<b>|=cmd()"


def build_view() -> PlanView:
    row = DiffRow("add", "1********00", "ref", NASTY, "delivery", 7, 3, None, False)
    head = PlanHead("id", 1, "drafted", "f" * 64, AT, NASTY, {"add": 1, "create": 0}, 0, 0)
    panel = PanelDiff("3990000002", NASTY, (row,))
    return PlanView(head, (panel,), (), (), (SignOffView(NASTY, "because", AT, False),), ("almost full",), None)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
def test_a_formula_is_written_as_text(cell: str) -> None:
    assert guard_cell(cell) == "'" + cell


def test_numbers_and_dashes_stay_as_they_are() -> None:
    assert (guard_cell(5), guard_cell("-"), guard_cell("a=b"), guard_cell("")) == ("5", "-", "a=b", "")


def test_csv_has_one_line_per_row_and_nothing_for_nothing() -> None:
    assert write_csv(("a", "b"), [(1, None), ("=x", "y")]) == "a,b\n1,\n'=x,y\n"


def test_html_holds_no_markup_from_names() -> None:
    page = write_html(build_view())
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "<script" not in page
    assert "almost full" in page


def test_markdown_keeps_its_columns() -> None:
    text = write_markdown(build_view())
    (row,) = [line for line in text.splitlines() if line.startswith("| add ")]
    assert row.replace("\\|", "").count("|") == 8
    assert "<b>" not in text


def test_values_are_shown_for_people_and_written_for_scripts() -> None:
    assert [show_cell(value) for value in (None, True, AT, {"a": 1, "b": 0}, ("x", "y"))] == [
        "-",
        "yes",
        "2026-11-20 17:00 UTC",
        "a 1",
        "x, y",
    ]
    assert to_json({"at": AT, "set": frozenset({"b", "a"}), "row": (1, None)}) == {
        "at": "2026-11-20T17:00:00Z",
        "set": ["a", "b"],
        "row": [1, None],
    }
