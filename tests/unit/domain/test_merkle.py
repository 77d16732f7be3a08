"""The Merkle tree: the published vectors of RFC 6962, an independent reading of its definitions, and forgeries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from service.domain.merkle import (
    compute_root,
    compute_roots,
    hash_leaf,
    hash_node,
    is_consistent,
    is_included,
    prove_consistency,
    prove_inclusion,
)

LEAVES = [bytes.fromhex(text) for text in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
VECTOR = [hash_leaf(leaf) for leaf in LEAVES]

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

INCLUSIONS = [
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], B, D]),
]
CONSISTENCIES = [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[4]]), (2, 5, [B, D])]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_published_vectors(size: int) -> None:
    assert compute_root(VECTOR[:size]).hex() == ROOTS[size]


def test_many_roots_of_one_growing_tree_are_those_that_each_has_alone() -> None:
    hashes = [hash_leaf(bytes([n])) for n in range(70)]
    sizes = [0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 69, 70]
    assert compute_roots(hashes, sizes) == {size: compute_root(hashes[:size]) for size in sizes}


def test_a_size_beyond_the_tree_has_no_root() -> None:
    assert compute_roots([hash_leaf(b"")], [1, 2]).keys() == {1}


@pytest.mark.parametrize(("index", "size", "path"), INCLUSIONS)
def test_inclusion_proofs_are_those_of_the_published_vectors(index: int, size: int, path: list[str]) -> None:
    assert [node.hex() for node in prove_inclusion(VECTOR[:size], index)] == path


@pytest.mark.parametrize(("old_size", "size", "proof"), CONSISTENCIES)
def test_consistency_proofs_are_those_of_the_published_vectors(old_size: int, size: int, proof: list[str]) -> None:
    assert [node.hex() for node in prove_consistency(VECTOR[:size], old_size)] == proof


def test_a_leaf_and_a_node_of_the_same_bytes_have_different_hashes() -> None:
    left, right = VECTOR[:2]
    assert hash_leaf(left + right) != hash_node(left, right)


HASHES = [hash_leaf(bytes([n])) for n in range(64)]


@pytest.mark.parametrize("size", range(1, 65))
def test_roots_and_proofs_of_every_tree_up_to_64_leaves_are_as_defined(size: int) -> None:
    leaves = HASHES[:size]
    root = naive_root(leaves)
    assert compute_root(leaves) == root
    for index in range(size):
        path = prove_inclusion(leaves, index)
        assert path == naive_path(leaves, index)
        assert is_included(leaves[index], index, size, path, root)
    for old_size in range(1, size + 1):
        proof = prove_consistency(leaves, old_size)
        assert proof == ([] if old_size == size else naive_proof(leaves, old_size, True))
        assert is_consistent(old_size, naive_root(leaves[:old_size]), size, root, proof)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_no_forged_inclusion_is_believed(size: int) -> None:
    leaves = HASHES[:size]
    root = naive_root(leaves)
    for index in range(size):
        path = prove_inclusion(leaves, index)
        for forged in forge(path):
            assert not is_included(leaves[index], index, size, forged, root)
        for other in range(size + 2):
            if other != index:
                assert not is_included(leaves[index], other, size, path, root)
        assert not is_included(HASHES[63], index, size, path, root)
        assert not is_included(leaves[index], index, size, path, flip(root))
        assert not is_included(leaves[index], -1, size, path, root)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_no_forged_consistency_is_believed(size: int) -> None:
    leaves = HASHES[:size]
    root = naive_root(leaves)
    for old_size in range(1, size + 1):
        old_root, proof = naive_root(leaves[:old_size]), prove_consistency(leaves, old_size)
        for forged in forge(proof):
            assert not is_consistent(old_size, old_root, size, root, forged)
        assert not is_consistent(old_size, flip(old_root), size, root, proof)
        assert not is_consistent(old_size, old_root, size, flip(root), proof)
        rewritten = naive_root([HASHES[63], *leaves[1:old_size]])
        assert not is_consistent(old_size, rewritten, size, root, proof)
        assert not is_consistent(old_size, old_root, size + 1, naive_root(HASHES[: size + 1]), [])
    assert not is_consistent(0, naive_root([]), size, root, [])
    assert not is_consistent(size + 1, root, size, root, [])


def test_there_is_no_proof_about_what_is_not_in_the_tree() -> None:
    for index in (-1, 3, 99):
        with pytest.raises(IndexError):
            prove_inclusion(HASHES[:3], index)
    for old_size in (-1, 0, 4):
        with pytest.raises(IndexError):
            prove_consistency(HASHES[:3], old_size)


def forge(proof: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield every proof with one bit flipped, one node lost, doubled or appended, or two neighbours exchanged."""
    yield [*proof, HASHES[0]]
    for place, node in enumerate(proof):
        before, after = list(proof[:place]), list(proof[place + 1 :])
        yield [*before, flip(node), *after]
        yield [*before, *after]
        yield [*before, node, node, *after]
        if after and after[0] != node:
            yield [*before, after[0], node, *after[1:]]


def flip(node: bytes) -> bytes:
    return bytes([node[0] ^ 1]) + node[1:]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(leaves: Sequence[bytes], m: int) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if m < k:
        return [*naive_path(leaves[:k], m), naive_root(leaves[k:])]
    return [*naive_path(leaves[k:], m - k), naive_root(leaves[:k])]


def naive_proof(leaves: Sequence[bytes], m: int, is_complete: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2."""
    n = len(leaves)
    if m == n:
        return [] if is_complete else [naive_root(leaves)]
    k = naive_split(n)
    if m <= k:
        return [*naive_proof(leaves[:k], m, is_complete), naive_root(leaves[k:])]
    return [*naive_proof(leaves[k:], m - k, False), naive_root(leaves[:k])]


def naive_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k
