"""Bodies in the older form, Arrow streams, are read like those of today, and a damaged one is refused in our words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pytest
from older_panels import write_full_width, write_narrow

from service.domain.attribution import Attribution
from service.domain.roster import Claim
from service.storage.errors import StorageError
from service.storage.panel_codec import (
    are_same,
    build_claim_columns,
    build_observed_columns,
    decode_claims,
    decode_observed,
    encode_claims,
    encode_observed,
)
from service.storage.panel_streams import is_stream

AT = datetime(2026, 11, 20, tzinfo=UTC)
CLAIMS = build_claim_columns(
    [
        Claim("1S00E00AA00", 1, 2, AT),
        Claim("5S00E00AA00", 70_000, 2, AT - timedelta(days=1)),
        Claim("9S99Y99YY99", 70_000, 2**31 - 1, AT, 3, ended=True),
    ]
)
OBSERVED = build_observed_columns(
    [
        Attribution(str(UUID(int=1)), None, AT, AT + timedelta(days=90), inactive=False),
        Attribution(str(UUID(int=2**128 - 1)), "9S99Y99YY99", AT, AT + timedelta(days=9), inactive=True),
    ]
)


def test_a_body_in_full_width_is_read_as_one_of_today() -> None:
    assert are_same(decode_claims(write_full_width(CLAIMS)), CLAIMS)


def test_a_body_in_the_narrow_form_is_read_as_one_of_today() -> None:
    assert are_same(decode_claims(write_narrow(CLAIMS)), CLAIMS)
    assert are_same(decode_observed(write_narrow(OBSERVED)), OBSERVED)


def test_empty_panels_of_the_older_form_are_read() -> None:
    claims, observed = build_claim_columns([]), build_observed_columns([])
    assert are_same(decode_claims(write_narrow(claims)), claims)
    assert are_same(decode_observed(write_narrow(observed)), observed)


def test_the_forms_are_told_apart_by_their_first_bytes() -> None:
    assert is_stream(write_full_width(CLAIMS))
    assert is_stream(write_narrow(OBSERVED))
    for body in (encode_claims(CLAIMS), encode_observed(OBSERVED), encode_claims(build_claim_columns([])), b""):
        assert not is_stream(body)


@pytest.mark.parametrize("length", [4, 8, 100, 400, -300, -60])
def test_a_stream_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(StorageError, match="cannot be read") as refused:
        decode_claims(write_narrow(CLAIMS)[:length])
    assert "backup" in refused.value.next_action


def test_a_stream_without_rows_of_any_kind_is_refused() -> None:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, pa.schema([("mbi", pa.uint64())])).close()
    with pytest.raises(StorageError, match="cannot be read"):
        decode_claims(bytes(sink.getvalue()))


def test_a_stream_with_other_columns_is_refused() -> None:
    with pytest.raises(StorageError):
        decode_claims(write_narrow(OBSERVED))
    with pytest.raises(StorageError):
        decode_observed(write_full_width(CLAIMS))
