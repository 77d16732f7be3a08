"""The proof: what was recorded verifies, and whatever was done to it afterwards is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from practice import Practice

from service.domain.errors import LedgerBroken, NotFound
from service.storage import ledger
from service.storage.errors import StorageError
from service.workflows.prove import (
    count_ledger_entries,
    find_attestations,
    find_checkpoints,
    find_ledger_entries,
    load_attestation,
    make_checkpoint,
    verify_ledger,
)
from service.workflows.record import record_fact


@contextmanager
def open_raw(practice: Practice) -> Iterator[sqlite3.Connection]:
    """The database as somebody with the file in hands opens it: without any of its triggers."""
    path = practice.rt.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        assert names
        for name in names:
            raw.execute(f'DROP TRIGGER "{name}"')
        yield raw


TAMPERINGS = {
    "a leaf is edited": """UPDATE ledger_entry
        SET leaf = CAST(replace(leaf, 'operator', 'somebody') AS BLOB) WHERE seq = 3""",
    "a leaf is turned into text": "UPDATE ledger_entry SET leaf = CAST(leaf AS TEXT) WHERE seq = 3",
    "a leaf is no JSON": "UPDATE ledger_entry SET leaf = zeroblob(9) WHERE seq = 3",
    "one bit of a hash is flipped": "UPDATE ledger_entry SET leaf_hash = zeroblob(32) WHERE seq = 3",
    "the first entry is deleted": "DELETE FROM ledger_entry WHERE seq = 1",
    "an entry in the middle is deleted": "DELETE FROM ledger_entry WHERE seq = 5",
    "the last entry is deleted": "DELETE FROM ledger_entry WHERE seq = (SELECT max(seq) FROM ledger_entry)",
    "an attempt that landed is said to have been refused": """UPDATE attempt SET state = 'refused'
        WHERE rowid = (SELECT max(rowid) FROM attempt)""",
    "an attempt that landed is said to be open": """UPDATE attempt SET state = 'open', outcome_at = NULL
        WHERE rowid = (SELECT max(rowid) FROM attempt)""",
    "an attempt is deleted": "DELETE FROM attempt WHERE rowid = (SELECT min(rowid) FROM attempt)",
    "the chain is cut": "UPDATE ledger_entry SET prev_hash = zeroblob(32) WHERE seq = 4",
    "two entries change places": """UPDATE ledger_entry SET leaf = CASE seq
        WHEN 3 THEN (SELECT leaf FROM ledger_entry WHERE seq = 4)
        WHEN 4 THEN (SELECT leaf FROM ledger_entry WHERE seq = 3) END WHERE seq IN (3, 4)""",
    "a checkpoint says another size": "UPDATE checkpoint SET size = size - 1",
    "a checkpoint says another root": "UPDATE checkpoint SET root = zeroblob(32)",
    "a checkpoint is signed by nobody": "UPDATE checkpoint SET note = replace(note, 'rollcall/lakeside', 'rollcall/x')",
}


def test_an_untouched_ledger_verifies(loaded: Practice) -> None:
    make_checkpoint(loaded.rt, "lakeside")
    verified = verify_ledger(loaded.rt)
    assert (verified.ok, verified.fault, verified.organizations, verified.checkpoints) == (True, None, 1, 1)
    assert verified.entries == count_ledger_entries(loaded.rt, "lakeside") > 15


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_found(loaded: Practice, tampering: str) -> None:
    make_checkpoint(loaded.rt, "lakeside")
    with open_raw(loaded) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        assert raw.execute(TAMPERINGS[tampering]).rowcount >= 1
    verified = verify_ledger(loaded.rt)
    assert not verified.ok
    assert verified.fault


def test_a_tail_that_was_cut_off_is_found_by_the_last_checkpoint(loaded: Practice) -> None:
    make_checkpoint(loaded.rt, "lakeside")
    with open_raw(loaded) as raw:
        raw.execute("DELETE FROM ledger_entry WHERE seq > (SELECT max(seq) - 1 FROM ledger_entry)")
    assert not verify_ledger(loaded.rt).ok
    with pytest.raises(LedgerBroken):
        make_checkpoint(loaded.rt, "lakeside")


def test_our_own_connection_can_neither_edit_nor_drop_the_guard(loaded: Practice) -> None:
    for statement in (
        "UPDATE ledger_entry SET actor = 'x'",
        "DELETE FROM ledger_entry",
        "DROP TRIGGER " + list_triggers(loaded)[0],
    ):
        with pytest.raises(StorageError), loaded.rt.database.begin() as connection:
            connection.exec_driver_sql(statement)
    assert verify_ledger(loaded.rt).ok


def list_triggers(practice: Practice) -> list[str]:
    """The names of the database's triggers."""
    with practice.rt.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return [row[0] for row in rows]


def test_a_checkpoint_is_made_only_when_something_came(loaded: Practice) -> None:
    first = make_checkpoint(loaded.rt, "lakeside")
    assert first is not None
    assert make_checkpoint(loaded.rt, "lakeside") is None
    loaded.send_roster({"3990000002": range(1, 13), "3990000010": range(20, 26)})
    second = make_checkpoint(loaded.rt, "lakeside")
    assert second is not None
    assert second.size > first.size
    assert [c.size for c in find_checkpoints(loaded.rt, "lakeside")] == [second.size, first.size]


def test_every_attestation_is_listed_with_its_words(loaded: Practice) -> None:
    found = find_attestations(loaded.rt, "lakeside")
    assert sum(a.n for a in found) == 18
    assert {a.state for a in found} == {"landed"}
    assert load_attestation(loaded.rt, "lakeside", found[0].attempt_id) == found[0]
    with pytest.raises(NotFound):
        load_attestation(loaded.rt, "lakeside", "0")


def test_an_organisation_that_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        verify_ledger(practice.rt, "nowhere")


def test_the_ledger_tells_the_story_in_order(loaded: Practice) -> None:
    kinds = [row.kind for row in find_ledger_entries(loaded.rt, "lakeside")]
    story = ["organization-added", "delivery-received", "delivery-accepted", "plan-drawn", "plan-signed"]
    story += ["plan-applying", "attempt", "outcome", "plan-applied"]
    assert [kind for kind in dict.fromkeys(kinds) if kind in story] == story
    assert kinds.count("attempt") == kinds.count("outcome") == 4


def test_no_leaf_holds_a_patient_value(loaded: Practice) -> None:
    with loaded.rt.database.read() as connection:
        leaves = b"".join(row[0] for row in connection.exec_driver_sql("SELECT leaf FROM ledger_entry"))
    assert b"1S00E" not in leaves
    assert b"1940-01" not in leaves


def test_an_attempt_that_nobody_signed_for_is_found(loaded: Practice) -> None:
    with loaded.rt.database.begin() as connection:
        (entry, *_) = ledger.find_entries(connection, "lakeside", kind="attempt")
        body = json.loads(entry.leaf)["body"] | {"approval": "nobody"}
        record_fact(connection, "lakeside", "attempt", at=loaded.rt.now(), actor="somebody", body=body)
    verified = verify_ledger(loaded.rt)
    assert not verified.ok
    assert "signed" in str(verified.fault)


def test_a_checkpoint_that_somebody_else_has_just_signed_is_not_signed_again(loaded: Practice) -> None:
    """The other one signs after this one has read the ledger and before it has kept its own."""

    class SlowSigner:
        public_key = loaded.rt.signer.public_key

        def sign_note(self, body: str) -> str:
            assert make_checkpoint(loaded.rt, "lakeside") is not None
            return loaded.rt.signer.sign_note(body)

    slow = replace(loaded.rt, signer=SlowSigner())  # type: ignore[arg-type]
    assert make_checkpoint(slow, "lakeside") is None
    assert len(find_checkpoints(loaded.rt, "lakeside")) == 1
