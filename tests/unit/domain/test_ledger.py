"""The ledger's entries: what they say, how they are chained, and every fault by its name."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.domain.canonical import Json, write_canonical_json
from service.domain.errors import LedgerBroken
from service.domain.ledger import (
    FIRST_PREVIOUS,
    Entry,
    build_leaf,
    check_entries,
    commit_subject,
    commit_subjects,
    derive_subject_key,
    digest_bytes,
    read_checkpoint_body,
    write_checkpoint_body,
)
from service.domain.merkle import compute_root, hash_leaf

AT = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
SECRET = bytes(range(32))
PAIRS = [("1S00E00AA00", "3905293015"), ("1S00E00AA01", "3905293015"), ("1S00E00AA00", "2323232225")]


def test_an_entry_is_canonical_json_with_everything_an_auditor_asks_for() -> None:
    leaf = build_leaf(
        1,
        FIRST_PREVIOUS,
        organization_id="lakeside",
        kind="plan-signed",
        at=AT,
        actor="ann",
        body={"n": 2},
        software="1",
    )
    assert leaf == (
        b'{"actor":"ann","at":"2026-03-02T08:30:00Z","body":{"n":2},"kind":"plan-signed","leaf_version":1,'
        b'"organization":"lakeside","prev":"' + b"0" * 64 + b'","seq":1,"software":"1"}'
    )


def test_a_sound_ledger_answers_its_leaf_hashes() -> None:
    entries = build_entries(5)
    assert check_entries(entries, "lakeside") == [entry.leaf_hash for entry in entries]
    assert check_entries([], "lakeside") == []


def edit(entries: list[Entry]) -> list[Entry]:
    return [*entries[:2], replace(entries[2], leaf=entries[2].leaf.replace(b"fact 3", b"fact X")), *entries[3:]]


def edit_and_hash_anew(entries: list[Entry]) -> list[Entry]:
    leaf = entries[2].leaf.replace(b"fact 3", b"fact X")
    return [*entries[:2], replace(entries[2], leaf=leaf, leaf_hash=hash_leaf(leaf)), *entries[3:]]


def reseat(leaf: bytes) -> Callable[[list[Entry]], list[Entry]]:
    """Put another leaf in third place, hashed and chained as if it belonged there."""
    return lambda entries: [*entries[:2], replace(entries[2], leaf=leaf, leaf_hash=hash_leaf(leaf))]


def rewrite(**changed: Json) -> Callable[[list[Entry]], list[Entry]]:
    def change(entries: list[Entry]) -> list[Entry]:
        return reseat(write_canonical_json({**json.loads(entries[2].leaf), **changed}))(entries)

    return change


FAULTS: dict[str, tuple[Callable[[list[Entry]], list[Entry]], str]] = {
    "first entry deleted": (lambda e: e[1:], "Entry 1 of the ledger of lakeside is missing; entry 2 follows"),
    "middle entry deleted": (lambda e: e[:2] + e[3:], "Entry 3 .* is missing; entry 4 follows"),
    "entry doubled": (lambda e: [*e[:3], *e[2:]], "Entry 4 .* is missing; entry 3 follows"),
    "two entries exchanged": (lambda e: [e[0], e[2], e[1], *e[3:]], "Entry 2 .* is missing; entry 3 follows"),
    "one bit changed": (edit, "Entry 3 .* does not match its hash"),
    "hash changed": (
        lambda e: [replace(e[0], leaf_hash=bytes(32)), *e[1:]],
        "Entry 1 .* does not match its hash",
    ),
    "entry edited and hashed anew": (edit_and_hash_anew, "Entry 4 .* does not follow from the entry before it"),
    "chain cut": (
        lambda e: [e[0], replace(e[1], prev_hash=bytes(32)), *e[2:]],
        "Entry 2 .* does not follow from the entry before it",
    ),
    "not JSON": (reseat(b"{"), "Entry 3 .* cannot be read"),
    "not text": (reseat(b"\xff\xfe\xfd"), "Entry 3 .* cannot be read"),
    "not an object": (reseat(b"[1,2]"), "Entry 3 .* cannot be read"),
    "only a number": (reseat(b"3"), "Entry 3 .* cannot be read"),
    "another number inside": (rewrite(seq=7), "Entry 3 .* belongs elsewhere"),
    "another predecessor inside": (rewrite(prev="00" * 32), "Entry 3 .* belongs elsewhere"),
    "another organisation inside": (rewrite(organization="hillside"), "Entry 3 .* belongs elsewhere"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_at_its_entry_and_named(fault: str) -> None:
    damage, message = FAULTS[fault]
    with pytest.raises(LedgerBroken, match=message):
        check_entries(damage(build_entries(5)), "lakeside")


def test_the_ledger_of_another_organization_is_not_taken_for_ours() -> None:
    with pytest.raises(LedgerBroken, match="belongs elsewhere"):
        check_entries(build_entries(2, "hillside"), "lakeside")


def test_a_lost_tail_is_visible_only_to_a_checkpoint() -> None:
    entries = build_entries(5)
    assert len(check_entries(entries[:4], "lakeside")) == 4
    assert compute_root([e.leaf_hash for e in entries[:4]]) != compute_root([e.leaf_hash for e in entries])


def test_a_pair_is_committed_to_by_a_key_of_its_own() -> None:
    key = derive_subject_key(SECRET, 1)
    assert key == hmac.digest(SECRET, b"rollcall:subject:v1:\x00\x00\x00\x01", "sha256")
    assert commit_subject(SECRET, 1, *PAIRS[1]) == hmac.digest(key, b"1S00E00AA01|3905293015", "sha256")
    keys = {derive_subject_key(SECRET, n) for n in range(100)}
    assert len(keys) == 100
    assert SECRET not in keys


def test_an_entry_says_how_many_pairs_it_concerns_and_a_root_that_opens_them_one_by_one() -> None:
    commitments = [hash_leaf(commit_subject(SECRET, n, *pair)) for n, pair in enumerate(PAIRS)]
    assert commit_subjects(SECRET, PAIRS) == {"n": 3, "root": compute_root(commitments).hex()}
    assert commit_subjects(SECRET, []) == {"n": 0, "root": hashlib.sha256(b"").hexdigest()}


def test_the_root_tells_nothing_without_the_secret_and_changes_with_every_pair() -> None:
    roots = [
        commit_subjects(SECRET, PAIRS)["root"],
        commit_subjects(bytes(32), PAIRS)["root"],
        commit_subjects(SECRET, PAIRS[::-1])["root"],
        commit_subjects(SECRET, PAIRS[:2])["root"],
        commit_subjects(SECRET, [("1S00E00AA09", "3905293015"), *PAIRS[1:]])["root"],
    ]
    assert len(set(roots)) == len(roots)


def test_a_checkpoint_is_three_lines_that_can_be_read_back() -> None:
    root = hashlib.sha256(b"").digest()
    text = write_checkpoint_body("rollcall.example/lakeside", 17, root)
    assert text == "rollcall.example/lakeside\n17\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert read_checkpoint_body(text) == ("rollcall.example/lakeside", 17, root)


@pytest.mark.parametrize(
    "text", ["", "origin", "origin\n", "origin\n17", "origin\nmany\nAAAA\n", "origin\n17\n!\n", "o\n1\né\n"]
)
def test_a_checkpoint_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(LedgerBroken):
        read_checkpoint_body(text)


def test_bytes_are_digested_with_sha256() -> None:
    assert digest_bytes(b"") == hashlib.sha256(b"").hexdigest()


def build_entries(n: int, organization_id: str = "lakeside") -> list[Entry]:
    entries: list[Entry] = []
    previous = FIRST_PREVIOUS
    for seq in range(1, n + 1):
        leaf = build_leaf(
            seq,
            previous,
            organization_id=organization_id,
            kind="note",
            at=AT,
            actor="ann",
            body={"text": f"fact {seq}"},
            software="1",
        )
        entries.append(Entry(seq, leaf, hash_leaf(leaf), previous))
        previous = entries[-1].leaf_hash
    return entries
