"""Patients: who is new, who is described anew, by whom, and what two feeds disagree about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import RFC_4122, UUID

from sqlalchemy import Connection

from service.storage import patients
from service.storage.database import Database
from service.storage.patients import PatientIdentity
from service.storage.sealing import OrganizationKeys

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def _tell(
    connection: Connection,
    keys: OrganizationKeys,
    identities: Iterable[PatientIdentity],
    delivery: int = 1,
    feed: str = "ehr",
) -> patients.Upserted:
    """Let a delivery of a feed tell of patients."""
    telling = patients.Telling(feed, delivery, NOW)
    return patients.upsert_patients(connection, keys, "lakeside", identities, telling)


def test_a_description_completes_a_patient_and_a_bare_row_never_erases_it(
    database: Database, keys: OrganizationKeys
) -> None:
    bare = PatientIdentity("1S00E00AA00")
    described = PatientIdentity("1S00E00AA00", "Ana", "Ñandú", date(1940, 2, 29), "female")
    with database.begin() as connection:
        assert _tell(connection, keys, [bare], 1).written == 1
        found = patients.find_patients_by_mbi(connection, keys, "lakeside", [bare.mbi])[bare.mbi]
        assert (found.identity, found.described, found.dpc_id) == (bare, False, None)
        assert _tell(connection, keys, [described], 2).written == 1
        assert _tell(connection, keys, [bare, described], 3).written == 0
        assert _tell(connection, keys, [bare], 3).written == 0
        again = patients.find_patients_by_id(connection, keys, "lakeside", [found.id])[found.id]
        assert (again.id, again.identity, again.described) == (found.id, described, True)
        assert patients.count_patients(connection, "lakeside") == 1


def test_what_feeds_tell_by_turns_is_written_only_when_it_is_new(database: Database, keys: OrganizationKeys) -> None:
    whole = PatientIdentity("1S00E00AA00", "Ana", 'Ñan"dú', date(1940, 2, 29), "female")
    partial = replace(whole, birth_on=None, gender=None)
    married = replace(partial, family="Lopez")
    told = [(whole, 1), (whole, 0), (partial, 0), (married, 1), (married, 0), (whole, 1), (partial, 0), (married, 1)]
    with database.begin() as connection:
        for delivery, (identity, written) in enumerate(told, start=1):
            assert _tell(connection, keys, [identity], delivery).written == written
        (found,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [whole.mbi]).values()
    assert found.identity == replace(whole, family="Lopez")


def test_a_patient_without_a_digest_is_compared_by_what_is_sealed(database: Database, keys: OrganizationKeys) -> None:
    described = PatientIdentity("1S00E00AA00", "Ana", "Lopez", date(1940, 2, 29), "female")
    with database.begin() as connection:
        _tell(connection, keys, [described], 1)
        connection.exec_driver_sql("UPDATE patient SET identity_digest = NULL")
        assert _tell(connection, keys, [described], 2).written == 0
        renamed = replace(described, family="Rivera")
        assert _tell(connection, keys, [renamed], 3).written == 1
        (found,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [described.mbi]).values()
    assert found.identity == renamed


def test_what_another_feed_told_is_completed_and_contradicted_without_being_written(
    database: Database, keys: OrganizationKeys
) -> None:
    whole = PatientIdentity("1S00E00AA00", "Ana", "Lopez", date(1940, 2, 29), "female")
    partial, other = replace(whole, birth_on=None, gender=None), replace(whole, family="Rivera")
    told = [("ehr", partial, 1, 0), ("billing", replace(partial, birth_on=whole.birth_on), 1, 0)]
    told += [("billing", other, 0, 1), ("ehr", other, 1, 0), ("billing", other, 0, 0), ("billing", whole, 0, 1)]
    with database.begin() as connection:
        for delivery, (feed, identity, written, contradicted) in enumerate(told, start=1):
            found = _tell(connection, keys, [identity], delivery, feed)
            assert (found.written, len(found.contradicted)) == (written, contradicted), delivery
        (row,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [whole.mbi]).values()
    assert (row.identity, row.told_by) == (other, "ehr")
    assert whole.mbi not in repr(found)


def test_who_told_before_it_was_recorded_is_who_tells_the_same_again(
    database: Database, keys: OrganizationKeys
) -> None:
    known = [PatientIdentity(f"1S00E00AA0{n}", "Ana", "Lopez", date(1940, 2, 29), "female") for n in range(2)]
    others = [replace(one, family="Rivera") for one in known]
    with database.begin() as connection:
        _tell(connection, keys, known)
        connection.exec_driver_sql("UPDATE patient SET told_by = NULL")
        assert _tell(connection, keys, known[:1], 2, "ehr") == patients.Upserted(0)
        assert _tell(connection, keys, others, 3, "billing") == patients.Upserted(1, (known[0].mbi,))
        found = patients.find_patients_by_mbi(connection, keys, "lakeside", [one.mbi for one in known])
    assert [(row.identity, row.told_by) for row in found.values()] == [(known[0], "ehr"), (others[1], "billing")]


def test_nobody_told_of_a_patient_who_is_a_bare_number(database: Database, keys: OrganizationKeys) -> None:
    bare = PatientIdentity("1S00E00AA00")
    with database.begin() as connection:
        _tell(connection, keys, [bare])
        (row,) = patients.find_patients_by_mbi(connection, keys, "lakeside", [bare.mbi]).values()
    assert row.told_by is None


def test_new_patients_get_ids_of_their_own_in_the_shape_of_uuids(database: Database, keys: OrganizationKeys) -> None:
    identities = [PatientIdentity(f"1S00E00AA{n:02d}") for n in range(100)]
    with database.begin() as connection:
        _tell(connection, keys, identities, 1)
        found = patients.find_patients_by_mbi(connection, keys, "lakeside", [one.mbi for one in identities])
    ids = {row.id for row in found.values()}
    assert len(ids) == 100
    assert {(str(UUID(id_)) == id_, UUID(id_).version, UUID(id_).variant) for id_ in ids} == {(True, 7, RFC_4122)}


def test_many_patients_are_found_and_named_as_dpc_names_them(database: Database, keys: OrganizationKeys) -> None:
    identities = [PatientIdentity(f"1S0{n // 1000}E{n // 100 % 10}0AA{n % 100:02d}") for n in range(2_500)]
    with database.begin() as connection:
        assert _tell(connection, keys, identities, 1).written == 2_500
        patients.set_dpc_ids(connection, keys, "lakeside", {one.mbi: f"dpc-{one.mbi}" for one in identities[:1_200]})
        patients.set_dpc_ids(connection, keys, "lakeside", {"9S99Y99YY99": "unknown"})
    with database.read() as connection:
        found = patients.find_patients_by_mbi(connection, keys, "lakeside", [one.mbi for one in identities])
        assert {mbi: row.identity.mbi for mbi, row in found.items()} == {one.mbi: one.mbi for one in identities}
        named = patients.find_all_dpc_ids(connection, keys, "lakeside")
    assert named == {f"dpc-{one.mbi}": one.mbi for one in identities[:1_200]}


def test_printing_a_patient_shows_nobody(database: Database, keys: OrganizationKeys) -> None:
    identity = PatientIdentity("1S00E00AA00", "Ana", "Lopez", date(1940, 2, 29), "female")
    with database.begin() as connection:
        _tell(connection, keys, [identity], 1)
        found = patients.find_patients_by_mbi(connection, keys, "lakeside", [identity.mbi])[identity.mbi]
    shown = repr(identity) + repr(found)
    assert not [word for word in ("1S00", "Ana", "Lopez", "1940", "female") if word in shown]
