"""Whatever was recorded: every entry can be proved, every earlier ledger is a prefix, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import LedgerBroken
from service.domain.ledger import FIRST_PREVIOUS, Entry, build_leaf, check_entries
from service.domain.merkle import (
    compute_root,
    hash_leaf,
    is_consistent,
    is_included,
    prove_consistency,
    prove_inclusion,
)

AT = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
STEADY = settings(derandomize=True, max_examples=150, deadline=None)
LEAVES = st.lists(st.binary(max_size=6), min_size=1, max_size=80, unique=True)
FACTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=12)


@given(LEAVES, st.data())
@STEADY
def test_every_leaf_is_proved_in_its_own_place_and_in_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    hashes = [hash_leaf(leaf) for leaf in leaves]
    root, size = compute_root(hashes), len(hashes)
    index = data.draw(st.integers(0, size - 1))
    path = prove_inclusion(hashes, index)
    assert is_included(hashes[index], index, size, path, root)
    assert len(path) <= (size - 1).bit_length()
    other = data.draw(st.integers(0, size - 1))
    assert is_included(hashes[other], index, size, path, root) is (other == index)


@given(LEAVES, st.data())
@STEADY
def test_every_earlier_tree_is_proved_a_prefix_and_a_rewritten_one_is_not(
    leaves: list[bytes], data: st.DataObject
) -> None:
    hashes = [hash_leaf(leaf) for leaf in leaves]
    old_size = data.draw(st.integers(1, len(hashes)))
    proof, root = prove_consistency(hashes, old_size), compute_root(hashes)
    assert is_consistent(old_size, compute_root(hashes[:old_size]), len(hashes), root, proof)
    place = data.draw(st.integers(0, old_size - 1))
    rewritten = [*hashes[:place], hash_leaf(b"rewritten"), *hashes[place + 1 : old_size]]
    assert not is_consistent(old_size, compute_root(rewritten), len(hashes), root, proof)


@given(LEAVES, st.binary(max_size=6))
@STEADY
def test_any_other_sequence_of_leaves_has_another_root(leaves: list[bytes], more: bytes) -> None:
    hashes = [hash_leaf(leaf) for leaf in leaves]
    others = {
        compute_root([*hashes, hash_leaf(more)]),
        compute_root(hashes[:-1]),
        compute_root([hash_leaf(leaves[0] + b"\0"), *hashes[1:]]),
    }
    if len(hashes) > 1:
        others.add(compute_root(hashes[::-1]))
    assert compute_root(hashes) not in others


@given(FACTS)
@STEADY
def test_a_chain_of_any_facts_is_sound(facts: list[str]) -> None:
    assert len(check_entries(build_entries(facts), "lakeside")) == len(facts)


@given(FACTS, st.data())
@STEADY
def test_any_single_bit_that_changes_in_a_leaf_is_found(facts: list[str], data: st.DataObject) -> None:
    entries = build_entries(facts)
    place = data.draw(st.integers(0, len(entries) - 1))
    leaf = bytearray(entries[place].leaf)
    bit = data.draw(st.integers(0, 8 * len(leaf) - 1))
    leaf[bit // 8] ^= 1 << bit % 8
    entries[place] = Entry(place + 1, bytes(leaf), entries[place].leaf_hash, entries[place].prev_hash)
    with pytest.raises(LedgerBroken, match=f"Entry {place + 1} .* does not match its hash"):
        check_entries(entries, "lakeside")


@given(st.lists(st.text(max_size=3), min_size=2, max_size=8), st.data())
@STEADY
def test_no_entry_can_be_taken_out_put_in_or_moved(facts: list[str], data: st.DataObject) -> None:
    entries = build_entries([fact.encode("ascii", "replace").decode() for fact in facts])
    place = data.draw(st.integers(0, len(entries) - 2))
    without = entries[:place] + entries[place + 1 :]
    doubled = [*entries[: place + 1], *entries[place:]]
    exchanged = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
    for damaged in (without, doubled, exchanged):
        with pytest.raises(LedgerBroken):
            check_entries(damaged, "lakeside")


def build_entries(facts: Sequence[str]) -> list[Entry]:
    entries: list[Entry] = []
    previous = FIRST_PREVIOUS
    for seq, fact in enumerate(facts, start=1):
        leaf = build_leaf(
            seq,
            previous,
            organization_id="lakeside",
            kind="note",
            at=AT,
            actor="ann",
            body={"text": fact},
            software="1",
        )
        entries.append(Entry(seq, leaf, hash_leaf(leaf), previous))
        previous = entries[-1].leaf_hash
    return entries
