"""The one place where parts are put together: settings, database, keys, clock, and the way to DPC."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from service.domain.errors import Refusal
from service.dpc.client import DpcClient
from service.dpc.clock import EmulatorClock
from service.dpc.credentials import Credentials, load_private_key
from service.dpc.transport import TransportOptions
from service.settings import Settings
from service.storage import organizations
from service.storage.connection import Connection
from service.storage.database import Database, open_database
from service.storage.errors import StorageError
from service.storage.sealing import OrganizationKeys, Vault
from service.storage.signing import Signer

SOFTWARE = f"rollcall {version('rollcall')}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a verb needs from outside; tests build it with their own clock and sleep."""

    settings: Settings
    database: Database
    vault: Vault
    signer: Signer
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    _private_keys: dict[str, RSAPrivateKey] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection to the database."""
        self.database.close()

    def now(self) -> datetime:
        """Answer the time by which everything is judged and recorded: aware, UTC."""
        return self.clock()

    def open_keys(self, connection: Connection, organization_id: str) -> OrganizationKeys:
        """Open the sealing keys of one organisation."""
        return self.vault.open_organization(connection, organization_id)

    def load_keys(self, organization_id: str) -> OrganizationKeys:
        """Open the sealing keys of one organisation for reading; nothing is written unless it has none yet."""
        try:
            with self.database.read() as connection:
                return self.open_keys(connection, organization_id)
        except StorageError:  # its first key has to be made
            with self.database.begin() as connection:
                return self.open_keys(connection, organization_id)

    def connect_dpc(self, organization_id: str) -> DpcClient:
        """Open a client of DPC with the organisation's own credentials; raises Refusal when it is not connected."""
        return self.open_client(self._load_credentials(organization_id))

    def open_client(self, credentials: Credentials) -> DpcClient:
        """Open a client with given credentials; only allowed origins are ever called."""
        return DpcClient(
            credentials,
            allowed_origins=self.settings.allowed_dpc_origins,
            clock=self.clock,
            options=TransportOptions(read_timeout_seconds=float(self.settings.read_timeout_seconds)),
            sleep=self.sleep,
        )

    def load_key(self, connection: Connection, organization_id: str, key_id: str) -> RSAPrivateKey:
        """Answer a private key of the organisation; parsed once, because that takes 190 ms.

        It is looked up each time, so that nobody gets another organisation's out of memory. Raises NotFound.
        """
        keys = self.open_keys(connection, organization_id)
        private_pem = organizations.load_private_key(connection, keys, organization_id, key_id)
        known = self._private_keys.get(key_id)
        if known is None:
            known = self._private_keys[key_id] = load_private_key(private_pem)
        return known

    def _load_credentials(self, organization_id: str) -> Credentials:
        with self.database.begin() as connection:
            organization = organizations.load_organization(connection, organization_id)
            usable = [k for k in organizations.find_keys(connection, organization_id) if k.kid and not k.retired_at]
            if not (organization.base_url and organization.dpc_id and usable):
                raise Refusal(
                    f"{organization.name} is not connected to DPC yet.",
                    code="not_connected",
                    next_action="Create a key and connect first: rollcall keys new, rollcall org connect.",
                )
            newest = max(usable, key=lambda k: k.created_at)
            keys = self.open_keys(connection, organization_id)
            return Credentials(
                base_url=organization.base_url,
                client_token=organizations.load_client_token(connection, keys, organization_id),
                key_id=str(newest.kid),
                private_key=self.load_key(connection, organization_id, newest.id),
                organization_id=organization.dpc_id,
            )


def build_runtime(settings: Settings) -> Runtime:
    """Put the parts together; nothing is connected yet but the database file or pool."""
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Runtime(
        settings,
        open_database(settings.database_url),
        Vault(settings.master_key, settings.index_key),
        Signer(settings.checkpoint_key),
        _build_clock(settings),
    )


def _build_clock(settings: Settings) -> Callable[[], datetime]:
    if settings.clock == "system":
        return lambda: datetime.now(UTC)
    return EmulatorClock(settings.clock.removeprefix("emulator:"), memory=settings.data_dir / "emulator-clock")
