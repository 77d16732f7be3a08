"""A sealed value opens in one place, with one set of keys, and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from service.storage.database import Database, open_database
from service.storage.organizations import (
    DpcKey,
    add_key,
    has_client_token,
    load_client_token,
    load_private_key,
    save_client_token,
)
from service.storage.patients import PatientIdentity, Telling, find_patients_by_mbi, upsert_patients
from service.storage.sealing import OrganizationKeys, SealBroken, Vault

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PLACE = ("patient", "identity", "row-1")


def test_a_sealed_value_opens_in_its_place(keys: OrganizationKeys) -> None:
    assert keys.unseal(*PLACE, keys.seal(*PLACE, b"secret")) == b"secret"
    assert keys.unseal(*PLACE, keys.seal(*PLACE, b"")) == b""


def test_sealing_twice_gives_different_bytes(keys: OrganizationKeys) -> None:
    assert keys.seal(*PLACE, b"secret") != keys.seal(*PLACE, b"secret")


@pytest.mark.parametrize(
    "place",
    [
        ("patient", "identity", "row-2"),
        ("patient", "other", "row-1"),
        ("plan", "identity", "row-1"),
        ("patienti", "dentity", "row-1"),
        ("patient", "identityr", "ow-1"),
    ],
)
def test_a_sealed_value_does_not_open_in_another_place(keys: OrganizationKeys, place: tuple[str, str, str]) -> None:
    sealed = keys.seal(*PLACE, b"secret")
    with pytest.raises(SealBroken):
        keys.unseal(*place, sealed)


def test_a_sealed_value_does_not_open_in_another_organization(
    keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    with pytest.raises(SealBroken):
        other_keys.unseal(*PLACE, keys.seal(*PLACE, b"secret"))


def test_no_bit_can_be_changed(keys: OrganizationKeys) -> None:
    sealed = keys.seal(*PLACE, b"secret")
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SealBroken):
            keys.unseal(*PLACE, bytes(changed))


def test_no_byte_can_be_cut_off(keys: OrganizationKeys) -> None:
    sealed = keys.seal(*PLACE, b"secret")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            keys.unseal(*PLACE, sealed[:length])


def test_another_master_key_opens_nothing(database: Database, keys: OrganizationKeys) -> None:
    stranger = Vault(bytes(32), bytes(range(32, 64)))
    with database.read() as connection, pytest.raises(SealBroken):
        stranger.open_organization(connection, keys.organization_id)


def test_keys_are_the_same_in_the_next_process(database: Database, keys: OrganizationKeys) -> None:
    sealed = keys.seal(*PLACE, b"secret")
    with database.read() as connection:
        later = Vault(bytes(range(32)), bytes(range(32, 64))).open_organization(connection, "lakeside")
    assert later.unseal(*PLACE, sealed) == b"secret"
    assert later.index_mbi("1S00E00AA00") == keys.index_mbi("1S00E00AA00")


def test_a_data_key_that_was_rolled_back_is_not_used(database: Database, vault: Vault) -> None:
    with pytest.raises(KeyError), database.begin() as connection:
        lost = vault.open_organization(connection, "lakeside").seal(*PLACE, b"secret")
        vault.open_organization(connection, "lakeside")
        raise KeyError
    with database.begin() as connection:
        kept = vault.open_organization(connection, "lakeside")
    with pytest.raises(SealBroken):
        kept.unseal(*PLACE, lost)
    with database.read() as connection:
        again = Vault(bytes(range(32)), bytes(range(32, 64))).open_organization(connection, "lakeside")
    assert again.unseal(*PLACE, kept.seal(*PLACE, b"secret")) == b"secret"


def test_after_rotation_old_values_open_and_new_ones_have_a_new_key(
    database: Database, vault: Vault, keys: OrganizationKeys
) -> None:
    sealed = keys.seal(*PLACE, b"secret")
    with database.begin() as connection:
        rotated = vault.rotate_key(connection, "lakeside")
    assert rotated.unseal(*PLACE, sealed) == b"secret"
    with pytest.raises(SealBroken):
        keys.unseal(*PLACE, rotated.seal(*PLACE, b"secret"))


def test_the_wrapped_key_of_another_organization_does_not_open(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    with database.begin() as connection:
        connection.execute(text("DELETE FROM data_key WHERE organization_id = 'hillside'"))
        connection.execute(text("UPDATE data_key SET organization_id = 'hillside'"))
    vault = Vault(bytes(range(32)), bytes(range(32, 64)))
    with database.read() as connection, pytest.raises(SealBroken):
        vault.open_organization(connection, other_keys.organization_id)


def test_the_index_of_an_mbi_differs_between_organizations_and_index_keys(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    with database.read() as connection:
        rekeyed = Vault(bytes(range(32)), bytes(32)).open_organization(connection, "lakeside")
    indexes = {one.index_mbi("1S00E00AA00") for one in (keys, other_keys, rekeyed)}
    assert len(indexes) == 3
    assert {len(index) for index in indexes} == {16}


def test_no_key_shows_when_printed(vault: Vault, keys: OrganizationKeys) -> None:
    assert repr(vault) == "Vault()"
    assert repr(keys) == "OrganizationKeys(organization_id='lakeside')"


def test_keys_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(bytes(16), bytes(32))


def test_a_row_swapped_for_another_does_not_open(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        upsert_patients(
            connection,
            keys,
            "lakeside",
            [PatientIdentity("1S00E00AA00"), PatientIdentity("1S00E00AA11")],
            Telling("ehr", 1, NOW),
        )
        first, second = connection.execute(text("SELECT id, identity FROM patient ORDER BY id")).all()
        change = text("UPDATE patient SET identity = :sealed WHERE id = :id")
        connection.execute(change, {"sealed": second.identity, "id": first.id})
    with database.read() as connection, pytest.raises(SealBroken):
        find_patients_by_mbi(connection, keys, "lakeside", ["1S00E00AA00", "1S00E00AA11"])


def test_credentials_come_back_and_only_to_their_organization(
    database: Database, keys: OrganizationKeys, other_keys: OrganizationKeys
) -> None:
    key = DpcKey(label="first", public_pem="PUBLIC", created_at=NOW)
    with database.begin() as connection:
        assert not has_client_token(connection, "lakeside")
        save_client_token(connection, keys, "lakeside", "older", now=NOW)
        save_client_token(connection, keys, "lakeside", "token", now=NOW)
        add_key(connection, keys, "lakeside", key, b"PRIVATE")
    with database.read() as connection:
        assert load_client_token(connection, keys, "lakeside") == "token"
        assert load_private_key(connection, keys, "lakeside", key.id) == b"PRIVATE"
        with pytest.raises(SealBroken):
            load_private_key(connection, other_keys, "lakeside", key.id)


@pytest.mark.parametrize("migrated_database_url", ["sqlite"], indirect=True)
def test_no_patient_value_is_readable_in_the_files_of_the_database(
    migrated_database_url: str, database: Database, keys: OrganizationKeys, tmp_path: Path
) -> None:
    canaries = [
        PatientIdentity(f"1S00E00AA{n:02d}", f"Givencanary{n}", f"Familycanary{n}", date(1931, 2, 3), "female")
        for n in range(50)
    ]
    with database.begin() as connection:
        upsert_patients(connection, keys, "lakeside", canaries, Telling("ehr", 1, NOW))
        save_client_token(connection, keys, "lakeside", "tokencanary", now=NOW)
        add_key(
            connection, keys, "lakeside", DpcKey(label="one", public_pem="PUBLIC", created_at=NOW), b"privatecanary"
        )
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("rollcall.db*"))
    database.close()
    assert b"lakeside" in raw
    for canary in (b"canary", b"1S00E00AA", b"1931-02-03", b"female"):
        assert canary not in raw
    reopened = open_database(migrated_database_url)
    with reopened.read() as connection:
        found = find_patients_by_mbi(connection, keys, "lakeside", [one.mbi for one in canaries])
    reopened.close()
    assert [found[one.mbi].identity for one in canaries] == canaries
