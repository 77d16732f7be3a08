"""Columns that a person chose by name hold for the headings of the first file that counts with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from practice import ADA, OPERATOR, Practice, build_mbi

from service.workflows.deliveries import DeliveryView
from service.workflows.feeds import add_feed, load_feed, set_feed
from service.workflows.map_columns import Sample, map_columns
from service.workflows.prove import verify_ledger

MAPPING = {"mbi": "Member", "npi": "Doc"}


@pytest.fixture
def billing(practice: Practice) -> Practice:
    """A practice with a feed whose columns a person named when the feed was set up."""
    add_feed(
        practice.rt,
        "lakeside",
        feed_id="billing",
        mode="snapshot",
        settings={"column_mapping": MAPPING},
        actor=OPERATOR,
    )
    return practice


def send(practice: Practice, headings: str, n: int = 8) -> DeliveryView:
    """A file with the headings, in which a column `Old` holds a practitioner as well."""
    practice.sent += 1
    names = headings.split(",")
    rows = [",".join(build_mbi(k) if name == "Member" else ADA for name in names) for k in range(n)]
    return practice.deliver("\r\n".join([headings, *rows, *[""] * practice.sent]).encode(), feed="billing")


def load_setting(practice: Practice, name: str = "header_hash") -> Any:
    return load_feed(practice.rt, "lakeside", "billing").settings[name]


def test_other_headings_than_those_of_the_first_accepted_file_are_held(billing: Practice) -> None:
    assert load_setting(billing) is None
    first = send(billing, "Member,Doc,Old")
    assert first.state == "accepted" and load_setting(billing) is not None
    assert send(billing, "Member,Doc,Old").state == "accepted"
    swapped = send(billing, "Doc,Old,Member")
    assert (swapped.state, swapped.file_error, swapped.hold_code) == ("held", "header_changed", "header_changed")


def test_it_is_the_header_that_a_person_would_have_looked_at(billing: Practice, tmp_path: Path) -> None:
    send(billing, "Member,Doc,Old")
    learned = load_setting(billing)
    path = tmp_path / "same.csv"
    path.write_text(f"Member,Doc,Old\n{build_mbi(1)},{ADA},{ADA}\n", "utf-8")
    map_columns(billing.rt, "lakeside", "billing", Sample(file=path), MAPPING, OPERATOR)
    assert load_setting(billing) == learned


def test_another_choice_of_columns_forgets_the_header_and_the_same_one_does_not(billing: Practice) -> None:
    send(billing, "Member,Doc,Old")
    learned = load_setting(billing)
    set_feed(billing.rt, "lakeside", "billing", {"column_mapping": MAPPING, "min_rows": 1}, OPERATOR)
    assert load_setting(billing) == learned
    set_feed(billing.rt, "lakeside", "billing", {"column_mapping": {"mbi": "Member", "npi": "Old"}}, OPERATOR)
    assert load_setting(billing) is None
    assert send(billing, "Old,Doc,Member").state == "accepted"
    assert load_setting(billing) not in (None, learned)


def test_a_file_that_waits_teaches_nothing_until_a_person_accepts_it(billing: Practice) -> None:
    set_feed(billing.rt, "lakeside", "billing", {"min_rows": 5}, OPERATOR)
    held = send(billing, "Member,Doc,Old", n=3)
    assert (held.hold_code, load_setting(billing)) == ("rows_down", None)
    billing.accept(held.id)
    assert load_setting(billing) is not None
    assert send(billing, "Doc,Old,Member").hold_code == "header_changed"


def test_what_is_learned_is_in_the_ledger(billing: Practice) -> None:
    send(billing, "Member,Doc,Old")
    with billing.rt.database.read() as connection:
        kinds = connection.exec_driver_sql("SELECT kind FROM ledger_entry").scalars().all()
    assert kinds.count("feed-changed") == 1
    assert verify_ledger(billing.rt).ok


def test_without_chosen_columns_headings_may_change(practice: Practice) -> None:
    add_feed(practice.rt, "lakeside", feed_id="billing", mode="snapshot", actor=OPERATOR)
    for headings in ("MBI,NPI,City", "City,NPI,MBI"):
        rows = "\r\n".join(
            ",".join({"MBI": build_mbi(k), "NPI": ADA}.get(name, "Oslo") for name in headings.split(","))
            for k in range(8)
        )
        assert practice.deliver(f"{headings}\r\n{rows}\r\n".encode(), feed="billing").state == "accepted"
    assert load_setting(practice) is None
