"""Panels come back as they were saved, a change is a new version, and nobody overwrites what they have not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from older_panels import write_full_width, write_narrow
from sqlalchemy import text

from service.domain.attribution import Attribution
from service.domain.roster import Claim
from service.storage.database import Database
from service.storage.errors import StorageError
from service.storage.panel_codec import (
    ClaimColumns,
    are_same,
    build_claim_columns,
    build_observed_columns,
    read_attributions,
    read_claims,
)
from service.storage.panels import (
    PanelHead,
    StaleVersion,
    find_panel_heads,
    load_claims,
    load_observed,
    prune_panels,
    save_claims,
    save_folded,
    save_observed,
)
from service.storage.panels.claims import PANELS_AT_ONCE
from service.storage.panels.heads import PANELS_PER_STATEMENT, write_version
from service.storage.sealing import OrganizationKeys, SealBroken

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
NPI = "1234567893"
OTHER_NPI = "1245319599"
CLAIMS = (
    Claim("1S00E00AA00", 3, 17, NOW, 0, ended=False),
    Claim("1S00E00AA11", 2, 4, NOW - timedelta(days=1), 1, ended=False),
    Claim("9S99Y99YY99", 3, 0, NOW, 2, ended=True),
)


def _attribution(n: int, mbi: str | None, days: int, *, inactive: bool = False) -> Attribution:
    end_at = NOW + timedelta(days=days)
    return Attribution(str(UUID(int=n)), mbi, end_at - timedelta(days=90), end_at, inactive, owned=n % 2 == 0)


OBSERVED = (
    _attribution(1, "1S00E00AA00", 80),
    _attribution(2, None, 12),
    _attribution(255, "1S00E00AA11", -3, inactive=True),
    _attribution(2**128 - 1, "9S99Y99YY99", 30),
)


def test_claims_come_back_as_they_were_saved(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        columns = build_claim_columns(CLAIMS)
        assert save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
    with database.read() as connection:
        (panel,) = load_claims(connection, keys, "lakeside", NPI)
    assert (panel.npi, panel.feed, panel.version) == (NPI, "ehr", 1)
    assert read_claims(panel.columns) == CLAIMS


def test_attributions_come_back_as_they_were_saved(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        columns = build_observed_columns(OBSERVED)
        assert save_observed(connection, keys, "lakeside", NPI, "group-1", columns, now=NOW)
    with database.read() as connection:
        (panel,) = load_observed(connection, keys, "lakeside", NPI)
    assert (panel.npi, panel.group_id, panel.version, panel.read_at) == (NPI, "group-1", 1, NOW)
    assert read_attributions(panel.columns) == OBSERVED


@pytest.mark.parametrize("n", [0, 1, 5_000])
def test_panels_of_any_size_come_back(database: Database, keys: OrganizationKeys, n: int) -> None:
    claims = build_claim_columns(Claim(f"1S0{i // 1000}E{i // 100 % 10}0AA{i % 100:02d}", 1, i, NOW) for i in range(n))
    observed = build_observed_columns(_attribution(i, None, 1) for i in range(n))
    with database.begin() as connection:
        save_claims(connection, keys, "lakeside", NPI, "ehr", claims, now=NOW, expected_version=0)
        save_observed(connection, keys, "lakeside", NPI, None, observed, now=NOW)
        (kept,) = load_claims(connection, keys, "lakeside")
        (shown,) = load_observed(connection, keys, "lakeside")
    assert len(kept.columns) == len(shown.columns) == n
    assert are_same(kept.columns, claims)
    assert are_same(shown.columns, observed)


def test_the_same_claims_in_another_order_are_no_new_version(database: Database, keys: OrganizationKeys) -> None:
    columns = build_claim_columns(CLAIMS)
    turned = type(columns)(*(getattr(columns, name)[::-1] for name in type(columns).__slots__))
    with database.begin() as connection:
        save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
        assert not save_claims(connection, keys, "lakeside", NPI, "ehr", turned, now=LATER, expected_version=1)
        assert [head.version for head in find_panel_heads(connection, "lakeside")] == [1]


def test_a_change_is_a_new_version_and_only_the_latest_is_loaded(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        for version, n in enumerate((3, 2, 1)):
            columns = build_claim_columns(CLAIMS[:n])
            save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=version)
        (panel,) = load_claims(connection, keys, "lakeside")
    assert panel.version == 3
    assert read_claims(panel.columns) == CLAIMS[:1]


@pytest.mark.parametrize("expected_version", [0, 2])
def test_a_panel_that_changed_since_it_was_read_is_not_overwritten(
    database: Database, keys: OrganizationKeys, expected_version: int
) -> None:
    with database.begin() as connection:
        columns = build_claim_columns(CLAIMS)
        save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
        with pytest.raises(StaleVersion):
            save_claims(
                connection,
                keys,
                "lakeside",
                NPI,
                "ehr",
                build_claim_columns(CLAIMS[:1]),
                now=LATER,
                expected_version=expected_version,
            )


def test_of_folded_panels_only_those_that_changed_are_written(database: Database, keys: OrganizationKeys) -> None:
    columns, fewer = build_claim_columns(CLAIMS), build_claim_columns(CLAIMS[:1])
    with database.begin() as connection:
        first = [(NPI, None, columns), (OTHER_NPI, None, columns)]
        assert save_folded(connection, keys, "lakeside", "ehr", first, now=NOW) == 2
        one, other = load_claims(connection, keys, "lakeside", feed="ehr")
        assert load_claims(connection, keys, "lakeside", feed="clinic") == []
        folded = [(one.npi, one, one.columns), (other.npi, other, fewer)]
        assert save_folded(connection, keys, "lakeside", "ehr", folded, now=LATER) == 1
        kept = {
            panel.npi: (panel.version, read_claims(panel.columns))
            for panel in load_claims(connection, keys, "lakeside")
        }
    assert kept == {one.npi: (1, CLAIMS), other.npi: (2, CLAIMS[:1])}


def test_folding_into_a_panel_that_somebody_else_has_written_is_refused(
    database: Database, keys: OrganizationKeys
) -> None:
    columns, fewer = build_claim_columns(CLAIMS), build_claim_columns(CLAIMS[:1])
    with database.begin() as connection:
        save_folded(connection, keys, "lakeside", "ehr", [(NPI, None, columns)], now=NOW)
        (read,) = load_claims(connection, keys, "lakeside")
        save_folded(connection, keys, "lakeside", "ehr", [(NPI, read, fewer)], now=NOW)
        for stale in (read, None):
            with pytest.raises(StaleVersion):
                save_folded(
                    connection,
                    keys,
                    "lakeside",
                    "ehr",
                    [(NPI, stale, build_claim_columns(CLAIMS[1:]))],
                    now=LATER,
                )


def test_more_panels_than_one_statement_takes_come_back(database: Database, keys: OrganizationKeys) -> None:
    folded = [(f"39{n:08d}", None, build_claim_columns(CLAIMS[: n % 4])) for n in range(2 * PANELS_AT_ONCE + 3)]
    with database.begin() as connection:
        assert save_folded(connection, keys, "lakeside", "ehr", folded, now=NOW) == len(folded)
        heads = find_panel_heads(connection, "lakeside")
        found = load_claims(connection, keys, "lakeside")
    assert [(head.npi, head.version, head.n) for head in heads] == [(npi, 1, len(kept)) for npi, _, kept in folded]
    assert {(head.created_at, head.min_end, head.read_at, head.group_id) for head in heads} == {(NOW, None, None, None)}
    for panel, (npi, _, claims) in zip(found, folded, strict=True):
        assert panel.npi == npi
        assert are_same(panel.columns, claims)


def test_whoever_folds_may_read_from_the_database_between_two_panels(
    database: Database, keys: OrganizationKeys
) -> None:
    npis = [f"39{n:08d}" for n in range(PANELS_AT_ONCE + 3)]
    with database.begin() as connection:

        def fold_each() -> Iterator[tuple[str, None, ClaimColumns]]:
            for npi in npis:
                assert load_claims(connection, keys, "lakeside", npi) == []
                yield npi, None, build_claim_columns(CLAIMS)

        assert save_folded(connection, keys, "lakeside", "ehr", fold_each(), now=NOW) == len(npis)
        assert [panel.npi for panel in load_claims(connection, keys, "lakeside")] == npis


def test_one_stale_panel_among_many_takes_the_others_back(database: Database, keys: OrganizationKeys) -> None:
    columns, fewer = build_claim_columns(CLAIMS), build_claim_columns(CLAIMS[:1])
    npis = [f"39{n:08d}" for n in range(2 * PANELS_PER_STATEMENT + 3)]
    with database.begin() as connection:
        save_folded(connection, keys, "lakeside", "ehr", [(npi, None, columns) for npi in npis], now=NOW)
        read = load_claims(connection, keys, "lakeside")
        other = build_claim_columns(CLAIMS[1:])
        save_folded(connection, keys, "lakeside", "ehr", [(npis[7], read[7], other)], now=NOW)
    with pytest.raises(StaleVersion), database.begin() as connection:
        save_folded(connection, keys, "lakeside", "ehr", [(panel.npi, panel, fewer) for panel in read], now=LATER)
    with database.read() as connection:
        versions = {head.npi: head.version for head in find_panel_heads(connection, "lakeside")}
    assert versions == {npi: 2 if npi == npis[7] else 1 for npi in npis}


def test_panels_in_the_older_form_are_read_and_are_no_change(database: Database, keys: OrganizationKeys) -> None:
    claims, observed = build_claim_columns(CLAIMS), build_observed_columns(OBSERVED)
    head = PanelHead(NPI, "claims", "ehr", 0, len(claims), 2, None, None, NOW, None)
    shown = PanelHead(NPI, "observed", "dpc", 0, len(observed), 3, NOW + timedelta(days=12), "group-1", NOW, NOW)
    with database.begin() as connection:
        write_version(connection, keys, "lakeside", head, write_full_width(claims))
        write_version(connection, keys, "lakeside", shown, write_narrow(observed))
        assert [read_claims(panel.columns) for panel in load_claims(connection, keys, "lakeside")] == [CLAIMS]
        assert [read_attributions(panel.columns) for panel in load_observed(connection, keys, "lakeside")] == [OBSERVED]
        assert not save_claims(connection, keys, "lakeside", NPI, "ehr", claims, now=LATER, expected_version=1)
        assert not save_observed(connection, keys, "lakeside", NPI, "group-1", observed, now=LATER)
        fewer = build_claim_columns(CLAIMS[1:])
        assert save_claims(connection, keys, "lakeside", NPI, "ehr", fewer, now=LATER, expected_version=1)
        assert [read_claims(panel.columns) for panel in load_claims(connection, keys, "lakeside")] == [CLAIMS[1:]]


@pytest.mark.parametrize("body", [b"", b"\x02", b"\x01\x06\x01\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_a_sealed_body_that_makes_no_sense_is_a_breakage_of_storage(
    database: Database, keys: OrganizationKeys, body: bytes
) -> None:
    with database.begin() as connection:
        head = PanelHead(NPI, "claims", "ehr", 0, 1, 1, None, None, NOW, None)
        write_version(connection, keys, "lakeside", head, body)
        write_version(connection, keys, "lakeside", replace(head, side="observed", source="dpc"), body)
    with database.read() as connection:
        for load in (load_claims, load_observed):
            with pytest.raises(StorageError, match="cannot be read"):
                load(connection, keys, "lakeside")


def test_reading_the_same_group_again_renews_only_the_time_of_reading(
    database: Database, keys: OrganizationKeys
) -> None:
    columns = build_observed_columns(OBSERVED)
    with database.begin() as connection:
        save_observed(connection, keys, "lakeside", NPI, "group-1", columns, now=NOW)
        assert not save_observed(connection, keys, "lakeside", NPI, "group-1", columns, now=LATER)
        (panel,) = load_observed(connection, keys, "lakeside")
        assert (panel.version, panel.read_at) == (1, LATER)
        assert save_observed(connection, keys, "lakeside", NPI, "group-2", columns, now=LATER)
        (panel,) = load_observed(connection, keys, "lakeside")
        assert (panel.version, panel.group_id) == (2, "group-2")


def test_heads_tell_counts_and_the_earliest_end_without_a_key(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        columns = build_claim_columns(CLAIMS)
        save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
        save_claims(connection, keys, "lakeside", OTHER_NPI, "ehr", columns, now=NOW, expected_version=0)
        save_observed(connection, keys, "lakeside", NPI, "group-1", build_observed_columns(OBSERVED), now=NOW)
    with database.read() as connection:
        heads = find_panel_heads(connection, "lakeside")
        assert [(h.npi, h.side, h.source, h.n, h.n_active) for h in heads] == [
            (NPI, "claims", "ehr", 3, 2),
            (NPI, "observed", "dpc", 4, 3),
            (OTHER_NPI, "claims", "ehr", 3, 2),
        ]
        assert heads[1].min_end == NOW + timedelta(days=12)
        assert [head.npi for head in find_panel_heads(connection, "lakeside", side="observed")] == [NPI]


def test_pruning_keeps_the_latest_and_what_was_current_after_the_date(
    database: Database, keys: OrganizationKeys
) -> None:
    with database.begin() as connection:
        for version, n in enumerate((3, 2, 1)):
            columns = build_claim_columns(CLAIMS[:n])
            at = NOW + timedelta(days=version)
            save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=at, expected_version=version)
        assert prune_panels(connection, "hillside", NOW + timedelta(days=99)) == 0
        assert prune_panels(connection, "lakeside", NOW + timedelta(days=1, hours=12)) == 1
        assert prune_panels(connection, "lakeside", NOW + timedelta(days=99)) == 1
        (panel,) = load_claims(connection, keys, "lakeside")
    assert panel.version == 3


@pytest.mark.parametrize(
    "change",
    [
        "npi = '1245319599'",
        "source = 'other'",
        "version = 7",
        "side = 'observed'",
        "organization_id = 'hillside'",
    ],
)
def test_a_body_moved_to_another_row_does_not_open(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys, change: str
) -> None:
    with database.begin() as connection:
        columns = build_claim_columns(CLAIMS)
        save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
        connection.execute(text(f"UPDATE panel SET {change}"))
    with database.read() as connection, pytest.raises(SealBroken):
        load_claims(connection, keys, "lakeside")
        load_observed(connection, keys, "lakeside")
        load_claims(connection, other_keys, "hillside")


@pytest.mark.parametrize("migrated_database_url", ["sqlite"], indirect=True)
def test_no_member_of_a_panel_is_readable_in_the_files_of_the_database(
    database: Database, keys: OrganizationKeys, tmp_path: Path
) -> None:
    columns = build_claim_columns(CLAIMS)
    observed = build_observed_columns(OBSERVED)
    with database.begin() as connection:
        save_claims(connection, keys, "lakeside", NPI, "ehr", columns, now=NOW, expected_version=0)
        save_observed(connection, keys, "lakeside", NPI, None, observed, now=NOW)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("rollcall.db*"))
    assert NPI.encode() in raw
    for mbi, packed in zip((claim.mbi for claim in CLAIMS), columns.mbi, strict=True):
        assert mbi.encode() not in raw
        assert packed.tobytes() not in raw
    assert b"evidence_at" not in raw
