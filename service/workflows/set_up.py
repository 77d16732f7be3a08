"""Before anything runs: fresh settings, the schema, and what the doctor checks."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from service.domain.canonical import write_time
from service.domain.errors import LedgerBroken, Refusal
from service.dpc.errors import DpcError
from service.dpc.portal import read_clock
from service.runtime import Runtime
from service.settings import KEY_BYTES, PREFIX, SETTINGS, Settings, SettingsWrong, load_settings
from service.storage import ledger, organizations, schema
from service.storage.connection import Connection
from service.storage.database import check_writable
from service.storage.errors import SealBroken, StorageError
from service.storage.index_check import check_index_key
from service.storage.signing import open_note

MOST_SKEW = timedelta(seconds=30)
"""Beyond this difference to DPC's clock nothing is attested: an attestation is dated by our clock."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the doctor looked at, and what to do when it is not well."""

    name: str
    ok: bool
    detail: str
    next_action: str = ""


def new_settings(data_dir: Path) -> dict[str, str]:
    """Answer the environment of a new installation with fresh keys: names with prefix, values as text."""
    keys = ("MASTER_KEY", "INDEX_KEY", "CHECKPOINT_KEY", "SECRET_KEY")
    fresh = {f"{PREFIX}{name}": base64.b64encode(os.urandom(KEY_BYTES)).decode() for name in keys}
    return {f"{PREFIX}DATA_DIR": str(data_dir.absolute()), **fresh}


def migrate(settings: Settings) -> str:
    """Bring the database to the newest schema and answer its revision."""
    if settings.database_url.startswith("sqlite"):
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    schema.migrate(settings.database_url)
    return schema.current_revision(settings.database_url) or "none"


def check_schema(settings: Settings) -> None:
    """Raise Refusal unless the database has the schema of this program, and StorageUnavailable without a database."""
    is_new = settings.database_url.startswith("sqlite") and not settings.data_dir.is_dir()
    if is_new or not schema.is_at_head(settings.database_url):
        raise Refusal("The database is not at the newest schema.", next_action="Run: rollcall migrate")


def check_settings(environ: Mapping[str, str]) -> list[Check]:
    """Look at the settings alone: one check per setting, with its purpose where it is missing."""
    try:
        load_settings(environ)
    except SettingsWrong as wrong:
        purposes = {f"{PREFIX}{s.name}": s.purpose for s in SETTINGS}
        return [
            Check("settings", False, mistake, _find_repair(purposes.get(mistake.split(" ")[0].rstrip(":"))))
            for mistake in wrong.mistakes
        ]
    return [Check("settings", True, "every setting can be used")]


def _find_repair(purpose: str | None) -> str:
    """What to do about a mistake; `purpose` is that of the setting it names, None for a name that is no setting."""
    if purpose is None:
        return f"Take it out of the environment; these can be set: {', '.join(s.name for s in SETTINGS)}."
    return f"{purpose} `rollcall settings new` makes a first set."


def check_readiness(rt: Runtime) -> list[Check]:
    """Look at what this process needs to work: schema, a database that can be written, keys that open; not at DPC."""
    found = [*_check_database(rt)]
    if all(check.ok for check in found):
        try:
            with rt.database.begin() as connection:
                for organization in organizations.find_organizations(connection):
                    check_index_key(connection, rt.open_keys(connection, organization.id))
                    _check_signer(rt, connection, organization.id)
            found.append(Check("keys", True, "they are the ones this database was written with"))
        except StorageError as error:
            found.append(Check("keys", False, error.message, error.next_action))
    return found


def check_start(rt: Runtime) -> None:
    """Raise Refusal when a process that lasts could not do its work here: what `check_readiness` finds."""
    for check in check_readiness(rt):
        if not check.ok:
            raise Refusal(f"{check.detail[:1].upper()}{check.detail[1:].rstrip('.')}.", next_action=check.next_action)


def _check_signer(rt: Runtime, connection: Connection, organization_id: str) -> None:
    """Open the newest checkpoint's note; raises SealBroken when another key signed it."""
    newest = ledger.find_last_checkpoint(connection, organization_id)
    try:
        if newest is not None:
            open_note(newest.note, rt.signer.public_key)
    except LedgerBroken:
        raise SealBroken("The newest checkpoint was not signed with ROLLCALL_CHECKPOINT_KEY.") from None


def check_health(rt: Runtime) -> list[Check]:
    """Look at the database, the keys, the clock and every organisation's way to DPC."""
    found = check_readiness(rt)
    if all(check.ok for check in found):
        found.append(_check_time(rt))
        found.extend(_check_organizations(rt))
    return found


def _check_time(rt: Runtime) -> Check:
    """Which time everything is judged by, and whether its source can be asked."""
    if rt.settings.clock == "system":
        return Check("clock", True, f"this machine's: {write_time(rt.now())}")
    try:
        return Check("clock", True, f"the emulator's: {write_time(read_clock(rt.settings.clock.partition(':')[2]))}")
    except (Refusal, DpcError) as error:
        action = "Start it again: rollcall emulator --data FILE --port PORT, or set ROLLCALL_CLOCK=system."
        return Check("clock", False, f"{error.message} The emulator's clock is followed from its last answer.", action)


def _check_database(rt: Runtime) -> Iterator[Check]:
    try:
        if not schema.is_at_head(rt.settings.database_url):
            yield Check("schema", False, "the database is not at the newest schema", "Run: rollcall migrate")
            return
        yield Check("schema", True, "at the newest revision")
        with rt.database.begin() as connection:
            check_writable(connection)
        yield Check("database", True, f"{rt.database.dialect}, writable")
    except StorageError as error:
        yield Check("database", False, error.message, error.next_action)


def _check_organizations(rt: Runtime) -> Iterator[Check]:
    with rt.database.read() as connection:
        found = organizations.find_organizations(connection)
    if not found:
        yield Check("organisations", True, "none yet", "Add one: rollcall org add")
    for organization in found:
        name = f"organisation {organization.id}"
        try:
            with rt.connect_dpc(organization.id) as dpc:
                dpc.read_organization()
                yield from _check_clock(name, dpc.clock_offset)
            yield Check(name, True, "keys open, DPC answers with our credentials")
        except (Refusal, DpcError, StorageError) as error:
            yield Check(name, False, error.message, error.next_action)


def _check_clock(name: str, offset: timedelta | None) -> Iterator[Check]:
    if offset is not None and abs(offset) > MOST_SKEW:
        yield Check(
            f"{name}: clock",
            False,
            f"this machine's clock differs from DPC's by {offset.total_seconds():.0f} seconds",
            "Synchronise the clock of this machine (NTP); nothing is attested until then.",
        )
