"""The breakages of the database, in our words; no exception of its driver leaves this room.

    StorageError
    ├── StorageUnavailable   locked, full, read-only or out of reach: nothing was written, try again later
    ├── AlreadyRecorded      a row with that key exists
    ├── RecordRefused        a constraint or trigger refused the row
    └── SealBroken           a sealed value does not open: changed, moved, or sealed under another key

The texts name constraints and tables, never a value: rows hold patient identifiers.
"""

from __future__ import annotations


class StorageError(Exception):
    """The database did not do what was asked.

    `message` is for people, `next_action` says what to do about it.
    """

    code = "storage_failed"
    default_next_action = "Look at the log of the database; nothing of this step was recorded."

    def __init__(self, message: str, *, next_action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_action = next_action or self.default_next_action


class StorageUnavailable(StorageError):
    """The database is locked, full, read-only or out of reach; nothing of the transaction was recorded."""

    code = "storage_unavailable"
    default_next_action = "Wait a moment and try again; if it stays so, run `rollcall doctor`."


class AlreadyRecorded(StorageError):
    """A row with the same key exists."""

    code = "already_recorded"
    default_next_action = "Read what is recorded; the same thing was written before or at the same time."


class RecordRefused(StorageError):
    """A constraint or trigger refused the row, for instance a change of the append-only ledger."""

    code = "record_refused"


class SealBroken(StorageError):
    """A sealed value does not open: changed, moved to another row or organisation, or sealed under another key."""

    code = "seal_broken"
    default_next_action = "Check that the keys in the settings are the ones this database was written with."

    def __init__(self, message: str = "A sealed value does not open in this place with these keys.") -> None:
        super().__init__(message)
