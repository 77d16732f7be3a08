"""Canonical JSON: the vectors of RFC 8785, equality with an independent implementation, and what is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.canonical import digest_json, read_time, write_canonical_json, write_time

VECTORS: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-5, "-5"),
    (2**53 - 1, "9007199254740991"),
    (1 - 2**53, "-9007199254740991"),
    ("", '""'),
    ([], "[]"),
    ((), "[]"),
    ({}, "{}"),
    ([56, {"d": True, "10": None, "1": []}], '[56,{"1":[],"10":null,"d":true}]'),
    ({"b": 1, "a": 2, "B": 3, "A": 4, "_": 5, "": 6}, '{"":6,"A":4,"B":3,"_":5,"a":2,"b":1}'),
    ({"peach": "x", "p": {"z": 1, "a": [1, 2]}}, '{"p":{"a":[1,2],"z":1},"peach":"x"}'),
    ('\u20ac$\u000f\nA\'B"\\\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
    ("\b\t\n\f\r\x00\x1f\x7f", '"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"'),
    ("</script>\u2028\u2029\U0001f600\ufb33\u0080", '"</script>\u2028\u2029\U0001f600\ufb33\u0080"'),
]


@pytest.mark.parametrize(("value", "text"), VECTORS)
def test_a_value_has_one_spelling(value: Any, text: str) -> None:
    assert write_canonical_json(value) == text.encode()
    assert digest_json(value) == hashlib.sha256(text.encode()).hexdigest()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.text(st.characters(max_codepoint=127), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | TEXTS
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=4), max_leaves=15)


@given(VALUES)
@settings(derandomize=True, max_examples=300, deadline=None)
def test_every_value_is_spelled_as_an_independent_implementation_spells_it(value: Any) -> None:
    written = write_canonical_json(value)
    assert written == rfc8785.dumps(value)
    assert json.loads(written) == value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        float("inf"),
        b"bytes",
        {1, 2},
        {1: "a"},
        {"\u00e9": 1},
        {None: 1},
        [[1.5]],
        {"a": {"b": 1j}},
    ],
    ids=repr,
)
def test_a_value_without_a_certain_spelling_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        write_canonical_json(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), [2**60], {"n": -(2**64)}, "\ud800"])
def test_a_number_or_text_that_others_could_not_read_back_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"canonical|surrogates"):
        write_canonical_json(value)


def test_a_mapping_that_is_not_a_dict_is_never_written_in_some_other_shape() -> None:
    with pytest.raises(TypeError):
        write_canonical_json(MappingProxyType({"a": 1}))


def test_a_time_is_written_in_utc_with_whole_seconds() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert write_time(datetime(2026, 3, 2, 5, 0, 0, 999999, tzinfo=east)) == "2026-03-01T23:30:00Z"
    assert read_time("2026-03-02T05:00:00+05:30") == datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    moment = datetime(2026, 3, 2, 8, 30, 1, tzinfo=UTC)
    assert read_time(write_time(moment)) == moment


def test_a_time_without_a_zone_is_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match="zone"):
        write_time(datetime(2026, 3, 2, 8, 30))  # noqa: DTZ001
    with pytest.raises(ValueError, match="zone"):
        read_time("2026-03-02T08:30:00")
    with pytest.raises(ValueError, match="Invalid isoformat"):
        read_time("yesterday")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_has_beyond_the_calendar_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="calendar"):
        read_time(text)
