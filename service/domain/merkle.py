"""The Merkle tree of RFC 6962 (section 2.1): leaf and node hashes, roots, inclusion and consistency proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def hash_leaf(leaf: bytes) -> bytes:
    """Answer SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Answer SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def compute_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Answer the root over leaf hashes; the empty tree has SHA-256 of nothing."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    level = list(leaf_hashes)
    while len(level) > 1:
        paired = [hash_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def compute_roots(leaf_hashes: Iterable[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """Answer the roots that a growing tree had at some sizes, in one pass; a size beyond it has none.

    Kept on the way are the perfect subtrees that the leaves so far consist of, with their sizes.
    """
    wanted = set(sizes)
    roots = {0: compute_root([])} if 0 in wanted else {}
    subtrees: list[tuple[int, bytes]] = []
    for size, leaf_hash in enumerate(leaf_hashes, start=1):
        subtrees.append((1, leaf_hash))
        while len(subtrees) > 1 and subtrees[-2][0] == subtrees[-1][0]:
            (n, right), (_, left) = subtrees.pop(), subtrees.pop()
            subtrees.append((2 * n, hash_node(left, right)))
        if size in wanted:
            *others, (_, root) = subtrees
            for _, left in reversed(others):
                root = hash_node(left, root)
            roots[size] = root
    return roots


def prove_inclusion(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Answer the audit path of one leaf, from the leaf upwards; raises IndexError outside the tree."""
    n = len(leaf_hashes)
    if not 0 <= index < n:
        raise IndexError("no such leaf")
    if n == 1:
        return []
    k = _split(n)
    if index < k:
        return [*prove_inclusion(leaf_hashes[:k], index), compute_root(leaf_hashes[k:])]
    return [*prove_inclusion(leaf_hashes[k:], index - k), compute_root(leaf_hashes[:k])]


def is_included(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Answer whether the audit path leads from the leaf to the root of a tree of `size` leaves (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, current = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return False
        if node % 2 or node == last:
            current = hash_node(sibling, current)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            current = hash_node(current, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and current == root


def prove_consistency(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Answer the proof that the first `old_size` leaves are a prefix of the tree (RFC 6962 2.1.2)."""
    if not 0 < old_size <= len(leaf_hashes):
        raise IndexError("the old tree must be a non-empty prefix")
    return _subproof(leaf_hashes, old_size, whole=True)


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Answer whether the proof shows that the old tree is a prefix of the new one (RFC 9162 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    steps = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not steps:
        return False
    node, last = old_size - 1, size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, new = hash_node(sibling, old), hash_node(sibling, new)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            new = hash_node(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == root


def _subproof(leaf_hashes: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    n = len(leaf_hashes)
    if old_size == n:
        return [] if whole else [compute_root(leaf_hashes)]
    k = _split(n)
    if old_size <= k:
        return [*_subproof(leaf_hashes[:k], old_size, whole=whole), compute_root(leaf_hashes[k:])]
    return [*_subproof(leaf_hashes[k:], old_size - k, whole=False), compute_root(leaf_hashes[:k])]


def _split(n: int) -> int:
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1
