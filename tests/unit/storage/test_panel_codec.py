"""Panels survive the way into columns and bytes and back, whoever is in them."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.attribution import Attribution
from service.domain.roster import Claim
from service.storage.errors import StorageError
from service.storage.panel_codec import (
    ClaimColumns,
    ObservedColumns,
    are_same,
    build_claim_columns,
    build_observed_columns,
    decode_claims,
    decode_observed,
    encode_claims,
    encode_each_claims,
    encode_observed,
    read_attributions,
    read_claims,
)

MBIS = st.from_regex(r"[1-9]S[A-Z0-9][0-9][A-Z][A-Z0-9][0-9][A-Z][A-Z][0-9][0-9]", fullmatch=True)
TIMES = st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)
CLAIMS = st.builds(
    Claim, MBIS, st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), TIMES, st.integers(0, 255), st.booleans()
)
ATTRIBUTIONS = st.builds(Attribution, st.uuids().map(str), st.none() | MBIS, TIMES, TIMES, st.booleans(), st.booleans())


@settings(deadline=None)  # the first example pays for what is loaded late
@given(st.lists(CLAIMS, unique_by=lambda claim: claim.mbi))
def test_claims_survive_in_the_order_of_their_mbis(claims: list[Claim]) -> None:
    columns = decode_claims(encode_claims(build_claim_columns(claims)))
    assert read_claims(columns) == tuple(sorted(claims, key=lambda claim: claim.mbi))


@settings(deadline=None)  # the first example pays for what is loaded late
@given(st.lists(ATTRIBUTIONS, unique_by=lambda attribution: attribution.patient_id))
def test_attributions_survive_in_the_order_of_their_ids(attributions: list[Attribution]) -> None:
    columns = decode_observed(encode_observed(build_observed_columns(attributions)))
    in_order = sorted(attributions, key=lambda attribution: UUID(attribution.patient_id).bytes)
    assert read_attributions(columns) == tuple(in_order)


@settings(deadline=None)  # the first example pays for what is loaded late
@given(st.lists(CLAIMS, unique_by=lambda claim: claim.mbi), st.randoms())
def test_the_bytes_do_not_depend_on_the_order_of_the_rows(claims: list[Claim], random: Random) -> None:
    columns = build_claim_columns(claims)
    assert encode_claims(_shuffle(columns, random)) == encode_claims(columns)


def test_one_changed_element_makes_panels_differ() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = build_claim_columns([Claim("1S00E00AA00", 1, 2, at)])
    for other in (
        Claim("1S00E00AA01", 1, 2, at),
        Claim("1S00E00AA00", 2, 2, at),
        Claim("1S00E00AA00", 1, 3, at),
        Claim("1S00E00AA00", 1, 2, at.replace(year=2027)),
        Claim("1S00E00AA00", 1, 2, at, 1),
        Claim("1S00E00AA00", 1, 2, at, 0, ended=True),
    ):
        assert not are_same(one, build_claim_columns([other]))


def test_a_patient_id_that_is_no_uuid_is_refused() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="UUID"):
        build_observed_columns([Attribution("patient-1", None, at, at, inactive=False)])


def test_columns_have_the_promised_types() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    claims = decode_claims(encode_claims(build_claim_columns([Claim("1S00E00AA00", 1, 2, at)])))
    assert [getattr(claims, name).dtype for name in type(claims).__slots__] == [
        np.dtype(kind) for kind in (np.uint64, np.int32, np.int32, np.int64, np.uint8, np.bool_)
    ]
    observed = decode_observed(
        encode_observed(build_observed_columns([Attribution(str(UUID(int=1)), None, at, at, False)]))
    )
    assert observed.patient_id.shape == (1, 16)
    assert [getattr(observed, name).dtype for name in type(observed).__slots__] == [
        np.dtype(kind) for kind in (np.uint8, np.uint64, np.int64, np.int64, np.bool_, np.bool_)
    ]


def test_printing_columns_shows_their_number_only() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert repr(build_claim_columns([Claim("1S00E00AA00", 1, 2, at)])) == "ClaimColumns(n=1)"
    assert repr(build_observed_columns([])) == "ObservedColumns(n=0)"


@settings(deadline=None)  # the first example pays for what is loaded late
@given(st.lists(st.lists(CLAIMS, unique_by=lambda claim: claim.mbi, max_size=9), max_size=4), st.randoms())
def test_claims_written_together_are_the_bytes_of_each_alone(panels: list[list[Claim]], random: Random) -> None:
    several = [build_claim_columns(claims) for claims in panels]
    turned = [_shuffle(columns, random) for columns in several]
    assert encode_each_claims(turned) == [encode_claims(columns) for columns in several]


def _shuffle(columns: ClaimColumns, random: Random) -> ClaimColumns:
    order = list(range(len(columns)))
    random.shuffle(order)
    return ClaimColumns(*(getattr(columns, name)[order] for name in ClaimColumns.__slots__))


def test_a_body_of_the_other_side_is_refused() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    claims = encode_claims(build_claim_columns([Claim("1S00E00AA00", 1, 2, at)]))
    observed = encode_observed(build_observed_columns([Attribution(str(UUID(int=1)), None, at, at, False)]))
    with pytest.raises(StorageError):
        decode_observed(claims)
    with pytest.raises(StorageError):
        decode_claims(observed)


def test_a_large_panel_takes_few_bytes_for_each_patient() -> None:
    rng, n = np.random.default_rng(1), 500
    mbis = np.unique(rng.integers(10**13, 5 * 10**13, n, np.uint64))
    start_at = 1_790_000_000 + rng.integers(0, 90 * 86_400, len(mbis))
    flags, ids = np.zeros(len(mbis), np.bool_), rng.integers(0, 256, (len(mbis), 16), np.uint8)
    claims = ClaimColumns(
        mbis,
        np.full(len(mbis), 1_000_000, np.int32),
        np.arange(len(mbis), dtype=np.int32) * 100,
        start_at,
        np.zeros(len(mbis), np.uint8),
        flags,
    )
    shown = ObservedColumns(ids, mbis, start_at, start_at + 90 * 86_400, flags, flags)
    assert len(encode_claims(claims)) + len(encode_observed(shown)) <= 40 * len(mbis)
