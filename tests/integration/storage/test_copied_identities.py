"""Descriptions that came with a changed MBI: whoever tells of the number has its way, and a copy is taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection

from service.storage import patients
from service.storage.database import Database
from service.storage.patients import PatientIdentity
from service.storage.patients.copied import mark_copied, take_back_copied
from service.storage.sealing import OrganizationKeys

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MBI = "1S00E00AA01"
COPIED = PatientIdentity(MBI, "Ann", "Moss", date(1939, 2, 28), "female")
SILENT = PatientIdentity(MBI)
EVE = PatientIdentity(MBI, "Eve", "Reed", date(1950, 5, 5), "female")


def tell(connection: Connection, keys: OrganizationKeys, identity: PatientIdentity, feed: str = "ehr") -> None:
    patients.upsert_patients(connection, keys, "lakeside", [identity], patients.Telling(feed, 1, NOW))


def copy(connection: Connection, keys: OrganizationKeys) -> None:
    tell(connection, keys, COPIED, "adt")
    mark_copied(connection, keys, "lakeside", [MBI])


def take_back(connection: Connection, keys: OrganizationKeys) -> patients.PatientRow:
    former = replace(COPIED, mbi="1S00E00AA00")
    take_back_copied(connection, keys, "lakeside", former, [MBI, "1S00E00AA09"], now=NOW)
    return patients.find_patients_by_mbi(connection, keys, "lakeside", [MBI])[MBI]


def test_a_copy_is_taken_back_as_a_whole(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        copy(connection, keys)
        row = take_back(connection, keys)
        assert (row.identity, row.described, row.told_by) == (SILENT, False, None)
        assert patients.count_patients(connection, "lakeside") == 1


@pytest.mark.parametrize("own", [EVE, COPIED])
def test_what_a_feed_has_told_as_a_whole_stays(
    database: Database, keys: OrganizationKeys, own: PatientIdentity
) -> None:
    with database.begin() as connection:
        copy(connection, keys)
        tell(connection, keys, own)
        row = take_back(connection, keys)
        assert (row.identity, row.described, row.told_by) == (own, True, "ehr")


def test_of_what_a_feed_has_told_in_part_only_the_copied_part_goes_and_the_next_file_completes_it(
    database: Database, keys: OrganizationKeys
) -> None:
    with database.begin() as connection:
        copy(connection, keys)
        tell(connection, keys, replace(EVE, birth_on=None, gender=None))
        row = take_back(connection, keys)
        assert (row.identity, row.described) == (PatientIdentity(MBI, "Eve", "Reed"), False)
        tell(connection, keys, EVE)
        (row,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [MBI]).values()
        assert (row.identity, row.described, row.told_by) == (EVE, True, "ehr")


def test_who_is_described_by_nobody_is_described_by_the_next_feed(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        copy(connection, keys)
        take_back(connection, keys)
        tell(connection, keys, COPIED)
        (row,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [MBI]).values()
        assert (row.identity, row.told_by) == (COPIED, "ehr")
