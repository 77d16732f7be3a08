"""Sealing of patient values: AES-256-GCM under a data key per organisation, and a keyed index of MBIs."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import Struct
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, func, select, update

from service.storage.errors import SealBroken as SealBroken
from service.storage.rows import insert_into
from service.storage.tables.organizations import data_key

KEY_BYTES = 32
INDEX_BYTES = 16
_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_ID_BYTES = 16
_HEAD_BYTES = len(_VERSION) + _KEY_ID_BYTES
_TAG_BYTES = 16
_MARK_BYTES = 8
_LENGTHS = Struct(">5I")


@dataclass(frozen=True, slots=True, eq=False)
class OrganizationKeys:
    """The opened keys of one organisation; `repr` shows none of them."""

    organization_id: str
    _primary: bytes = field(repr=False)
    _ciphers: dict[bytes, AESGCM] = field(repr=False)
    _index_key: bytes = field(repr=False)
    _mark_key: bytes = field(repr=False)

    def seal(self, table: str, column: str, row_id: str, plaintext: bytes) -> bytes:
        """Seal bytes for one place: version byte, key id, nonce, ciphertext with tag.

        The place (organisation, table, column, row, key) is authenticated, so the result opens nowhere else.
        """
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._primary
        place = _name_place(self.organization_id, table, column, row_id, key_id)
        return _VERSION + key_id + nonce + self._ciphers[self._primary].encrypt(nonce, plaintext, place)

    def unseal(self, table: str, column: str, row_id: str, sealed: bytes) -> bytes:
        """Open what `seal` made for this place; raises SealBroken."""
        if len(sealed) < _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise SealBroken
        key_id, rest = sealed[1:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken
        place = _name_place(self.organization_id, table, column, row_id, key_id)
        return _open_sealed(cipher, rest, place)

    def index_mbi(self, mbi: str) -> bytes:
        """Answer the 16 bytes under which an MBI of this organisation is found; they tell nothing without the key."""
        return self.index_mbis([mbi])[0]

    def index_mbis(self, mbis: Iterable[str]) -> list[bytes]:
        """Answer `index_mbi` of each."""
        return _digest_each(self._index_key, b"mbi:v1:", (mbi.encode() for mbi in mbis))

    def digest_identities(self, plaintexts: Iterable[bytes]) -> list[bytes]:
        """Answer for each 16 bytes that are equal for an identity told twice; they tell nothing without the key."""
        return _digest_each(self._index_key, b"identity:v1:", plaintexts)

    def mark_patients(self, packed_mbis: bytes) -> bytes:
        """Answer 8 bytes for each 8 of packed MBIs: the same for the same patient in every organisation.

        Only sketches of rosters are made of them, by which a file is seen to belong to somebody else.
        """
        return b"".join(
            blake2b(packed_mbis[at : at + _MARK_BYTES], digest_size=_MARK_BYTES, key=self._mark_key).digest()
            for at in range(0, len(packed_mbis), _MARK_BYTES)
        )

    def conceal(self, mbi: str) -> str:
        """Answer the token that stands for an MBI in fingerprints, which everybody sees; not its index."""
        return hmac.digest(self._index_key, b"fingerprint:v1:" + mbi.encode(), "sha256").hex()


class Vault:
    """Opens the data keys of organisations; both keys come from the settings and never enter the database."""

    def __init__(self, master_key: bytes, index_key: bytes) -> None:
        if len(master_key) != KEY_BYTES or len(index_key) != KEY_BYTES:
            raise ValueError(f"the master key and the index key have {KEY_BYTES} bytes each")
        self._wrapping = AESGCM(_derive(master_key, b"rollcall:wrap:v1"))
        self._index_key = index_key
        self._mark_key = _derive(index_key, b"rollcall:roster-sketch:v1")
        self._opened: dict[tuple[str, UUID, bytes], AESGCM] = {}

    def __repr__(self) -> str:
        return "Vault()"

    def open_organization(self, connection: Connection, organization_id: str) -> OrganizationKeys:
        """Open the keys of an organisation; the first call creates its data key and needs a writing transaction.

        What exists is asked of the database each time (a key may have been rolled back with its transaction); opened
        keys are kept in memory. Raises SealBroken when the master key is another one.
        """
        stored = _find_wrapped(connection, organization_id)
        if not any(primary for _, _, primary in stored):
            self._create_key(connection, organization_id)
            stored = _find_wrapped(connection, organization_id)
        ciphers = {key_id.bytes: self._unwrap(organization_id, key_id, wrapped) for key_id, wrapped, _ in stored}
        primary = next(key_id.bytes for key_id, _, is_primary in stored if is_primary)
        index_key = _derive(self._index_key, b"rollcall:mbi-index:v1:" + organization_id.encode())
        return OrganizationKeys(organization_id, primary, ciphers, index_key, self._mark_key)

    def rotate_key(self, connection: Connection, organization_id: str) -> OrganizationKeys:
        """Seal with a fresh data key from now on; what older keys sealed still opens."""
        retire = update(data_key).where(data_key.c.organization_id == organization_id, data_key.c.retired_at.is_(None))
        connection.execute(retire.values(retired_at=func.current_timestamp()))
        return self.open_organization(connection, organization_id)

    def _create_key(self, connection: Connection, organization_id: str) -> None:
        key_id, nonce = uuid4(), os.urandom(_NONCE_BYTES)
        place = _name_place(organization_id, "data_key", "wrapped", str(key_id), key_id.bytes)
        sealed = self._wrapping.encrypt(nonce, os.urandom(KEY_BYTES), place)
        row = {
            "organization_id": organization_id,
            "id": str(key_id),
            "wrapped": _VERSION + nonce + sealed,
            "created_at": func.current_timestamp(),
        }
        connection.execute(insert_into(connection, data_key).values(row).on_conflict_do_nothing())

    def _unwrap(self, organization_id: str, key_id: UUID, wrapped: bytes) -> AESGCM:
        known = self._opened.get((organization_id, key_id, wrapped))
        if known is None:
            place = _name_place(organization_id, "data_key", "wrapped", str(key_id), key_id.bytes)
            known = AESGCM(_open_sealed(self._wrapping, wrapped[1:], place))
            self._opened[organization_id, key_id, wrapped] = known
        return known


def _find_wrapped(connection: Connection, organization_id: str) -> list[tuple[UUID, bytes, bool]]:
    rows = connection.execute(
        select(data_key.c.id, data_key.c.wrapped, data_key.c.retired_at).where(
            data_key.c.organization_id == organization_id
        )
    )
    return [(UUID(row.id), row.wrapped, row.retired_at is None) for row in rows]


def _open_sealed(cipher: AESGCM, sealed: bytes, place: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
    except InvalidTag:
        raise SealBroken from None


def _digest_each(key: bytes, purpose: bytes, texts: Iterable[bytes]) -> list[bytes]:
    """Answer the first bytes of the HMAC of each text after its purpose; the key is prepared only once."""
    begun = hmac.new(key, purpose, "sha256")
    digests = []
    for text in texts:
        each = begun.copy()
        each.update(text)
        digests.append(each.digest()[:INDEX_BYTES])
    return digests


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _name_place(organization_id: str, table: str, column: str, row_id: str, key_id: bytes) -> bytes:
    """Join the parts of a place with their lengths, so that no two places have the same name."""
    parts = (organization_id.encode(), table.encode(), column.encode(), row_id.encode(), key_id)
    return _LENGTHS.pack(*map(len, parts)) + b"".join(parts)
