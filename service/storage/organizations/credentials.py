"""What opens DPC for an organisation, sealed: its client token and its private keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from service.storage.rows import change_row, find_values, insert_into, new_id, not_found, write_value
from service.storage.sealing import OrganizationKeys
from service.storage.tables.organizations import dpc_credential, dpc_key


@dataclass(frozen=True, slots=True, kw_only=True)
class DpcKey:
    """One key pair; `kid` is the id DPC gave to the public key, None until it is registered."""

    id: str = field(default_factory=new_id)
    kid: str | None = None
    label: str
    public_pem: str
    created_at: datetime
    retired_at: datetime | None = None


def save_client_token(
    connection: Connection, keys: OrganizationKeys, organization_id: str, token: str, *, now: datetime
) -> None:
    """Seal and keep the client token; a newer one replaces it."""
    sealed = keys.seal("dpc_credential", "client_token", organization_id, token.encode())
    statement = insert_into(connection, dpc_credential).values(
        organization_id=organization_id, client_token=sealed, updated_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["organization_id"],
            set_={"client_token": statement.excluded.client_token, "updated_at": now},
        )
    )


def load_client_token(connection: Connection, keys: OrganizationKeys, organization_id: str) -> str:
    """Answer the client token; raises NotFound while there is none, SealBroken with other keys."""
    sealed = _find_sealed_token(connection, organization_id)
    if sealed is None:
        raise not_found(dpc_credential)
    return keys.unseal("dpc_credential", "client_token", organization_id, sealed).decode()


def has_client_token(connection: Connection, organization_id: str) -> bool:
    """Answer whether a client token is kept."""
    return _find_sealed_token(connection, organization_id) is not None


def _find_sealed_token(connection: Connection, organization_id: str) -> bytes | None:
    statement = select(dpc_credential.c.client_token)
    return connection.scalar(statement.where(dpc_credential.c.organization_id == organization_id))


def add_key(
    connection: Connection, keys: OrganizationKeys, organization_id: str, key: DpcKey, private_pem: bytes
) -> None:
    """Keep a key pair, the private half sealed."""
    sealed = keys.seal("dpc_key", "private_pem", key.id, private_pem)
    write_value(connection, dpc_key, key, organization_id=organization_id, private_pem=sealed)


def set_key_registered(connection: Connection, organization_id: str, key_id: str, kid: str) -> None:
    """Record the id that DPC gave to the public key; raises NotFound."""
    change_row(connection, dpc_key, {"kid": kid}, dpc_key.c.organization_id == organization_id, dpc_key.c.id == key_id)


def find_keys(connection: Connection, organization_id: str, *, retired: bool = False) -> list[DpcKey]:
    """Answer the key pairs without their private halves, newest first; retired ones only when asked for."""
    where = [dpc_key.c.organization_id == organization_id]
    if not retired:
        where.append(dpc_key.c.retired_at.is_(None))
    return find_values(connection, dpc_key, DpcKey, *where, order_by=[dpc_key.c.created_at.desc(), dpc_key.c.id])


def load_private_key(connection: Connection, keys: OrganizationKeys, organization_id: str, key_id: str) -> bytes:
    """Answer the PEM of a private key; raises NotFound, SealBroken with other keys."""
    statement = select(dpc_key.c.private_pem).where(
        dpc_key.c.organization_id == organization_id, dpc_key.c.id == key_id
    )
    sealed = connection.scalar(statement)
    if sealed is None:
        raise not_found(dpc_key)
    return keys.unseal("dpc_key", "private_pem", key_id, sealed)


def retire_key(connection: Connection, organization_id: str, key_id: str, *, now: datetime) -> None:
    """Sign with this key no more; raises NotFound."""
    change_row(
        connection,
        dpc_key,
        {"retired_at": now},
        dpc_key.c.organization_id == organization_id,
        dpc_key.c.id == key_id,
    )
