"""What an organisation decides about a feed: read, written and changed without losing or inventing anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.errors import InvalidInput
from service.domain.feeds import (
    SETTING_NAMES,
    FeedSettings,
    change_feed_settings,
    find_due_at,
    read_feed_settings,
    show_feed_settings,
    write_feed_settings,
)

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
EVERYTHING: dict[str, Any] = {
    "column_mapping": {"mbi": "Member No", "npi": "Doctor"},
    "header_hash": "0" * 64,
    "encoding": "utf-16",
    "practitioners": ["3990000002", "3990000010"],
    "expected_every_hours": 24,
    "expects_count": True,
    "shares_patients": True,
    "min_rows": 7,
    "rows_down_percent": 11,
    "rows_up_percent": 26,
    "rejected_percent": 0,
    "max_removals": 0,
    "max_removal_percent": 0,
}


def test_what_is_shown_is_everything_and_reads_back_as_the_same() -> None:
    assert set(EVERYTHING) == set(SETTING_NAMES)
    for settings in (FeedSettings(), read_feed_settings(EVERYTHING)):
        shown = show_feed_settings(settings)
        assert shown.keys() == set(SETTING_NAMES)
        assert read_feed_settings(shown) == settings
    assert show_feed_settings(read_feed_settings(EVERYTHING)) == EVERYTHING


def test_what_is_written_leaves_defaults_out() -> None:
    assert write_feed_settings(FeedSettings()) == {}
    assert write_feed_settings(read_feed_settings(EVERYTHING)) == EVERYTHING


@pytest.mark.parametrize("name", SETTING_NAMES)
def test_a_change_touches_one_setting_and_none_is_its_default(name: str) -> None:
    alone = {"column_mapping": {"mbi": "Member No"}} if name == "header_hash" else {}
    changed = change_feed_settings(FeedSettings(), {name: EVERYTHING[name]} | alone)
    assert write_feed_settings(changed) == {name: EVERYTHING[name]} | alone
    rest = {other: value for other, value in EVERYTHING.items() if other != name}
    if name == "column_mapping":
        del rest["header_hash"]  # the header that the mapping was chosen for
    assert write_feed_settings(change_feed_settings(read_feed_settings(EVERYTHING), {name: None})) == rest


@pytest.mark.parametrize(
    "change",
    [
        {"force": True},
        {"force": None},
        {"column_mapping": ["mbi"]},
        {"column_mapping": {"shoe": "Size"}},
        {"column_mapping": {"mbi": " "}},
        {"column_mapping": {"mbi": "x" * 201}},
        {"column_mapping": {"mbi": "1S00-E00-AA00"}},
        {"column_mapping": {"mbi": "No", "npi": " no "}},
        {"header_hash": "0" * 63},
        {"header_hash": 7},
        {"encoding": "ebcdic"},
        {"practitioners": "3990000002"},
        {"practitioners": ["3990000003"]},
        {"expects_count": 1},
        {"min_rows": True},
        {"min_rows": -1},
        {"rows_down_percent": 31},
        {"rows_up_percent": 101},
        {"rejected_percent": 6},
        {"expected_every_hours": 0},
    ],
)
def test_a_wrong_change_is_refused_without_repeating_what_was_given(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        change_feed_settings(FeedSettings(), change)
    assert "1S00" not in refused.value.message + refused.value.next_action


def test_a_delivery_is_due_one_cadence_after_the_last() -> None:
    assert find_due_at(FeedSettings(expected_every_hours=36), NOW) == NOW + timedelta(hours=36)
    assert find_due_at(FeedSettings(), NOW) is None
