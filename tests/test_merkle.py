"""The tree of RFC 6962: its published vectors, and pymerkle's judgement of roots and proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle.proof import verify_consistency

from issuance_server.merkle import Frontier, consistency_proof, is_consistent, leaf_hash, root_of

#: Entries and roots by size. Source: Certificate Transparency's reference tests (merkletree, Google, Apache-2.0).
ENTRIES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def test_the_published_roots() -> None:
    frontier = Frontier()
    assert frontier.root() == hashlib.sha256().digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        frontier = frontier.add(leaf)
        assert frontier.root().hex() == root
        assert Frontier.decode(frontier.size, frontier.packed()) == frontier


def judge(entries: list[bytes]) -> InmemoryTree:
    """Another implementation's tree."""
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    return tree


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=70), st.data())
def test_pymerkle_sees_the_same_roots_and_takes_our_proofs(entries: list[bytes], data: st.DataObject) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    tree = judge(entries)
    assert root_of(leaves) == tree.get_root()
    old_size = data.draw(st.integers(1, len(entries)))
    old_root = root_of(leaves[:old_size])
    assert old_root == tree.get_root(old_size)
    verify_consistency(old_root, tree.get_root(), tree.prove_consistency(old_size, len(entries)))
    proof = consistency_proof(leaves, old_size)
    assert is_consistent(old_size, old_root, len(leaves), root_of(leaves), proof)


@pytest.mark.parametrize("new_size", range(1, 9))
def test_no_other_tree_is_shown_to_go_on_from_it(new_size: int) -> None:
    new_root = root_of(LEAVES[:new_size])
    for old_size in range(1, new_size + 1):
        old_root, proof = root_of(LEAVES[:old_size]), consistency_proof(LEAVES[:new_size], old_size)
        assert is_consistent(old_size, old_root, new_size, new_root, proof)
        wrong = hashlib.sha256(b"another").digest()
        tries = [
            (old_size, wrong, new_size, new_root, proof),
            (old_size, old_root, new_size, wrong, proof),
            (old_size, old_root, new_size, new_root, (*proof, wrong)),
            (old_size + 1, old_root, new_size, new_root, proof),
            (new_size + 1, old_root, new_size, new_root, proof),
            (0, old_root, new_size, new_root, proof),
        ]
        tries += [
            (old_size, old_root, new_size, new_root, (*proof[:at], wrong, *proof[at + 1 :])) for at in range(len(proof))
        ]
        tries += [(old_size, old_root, new_size, new_root, proof[:at]) for at in range(len(proof))]
        assert not any(is_consistent(*one) for one in tries)


def test_a_proof_is_of_a_size_that_the_tree_has_had() -> None:
    for size in (0, 9, -1):
        with pytest.raises(ValueError, match="old_size"):
            consistency_proof(LEAVES, size)


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (1, bytes(33))])
def test_a_frontier_of_no_tree_is_refused(size: int, packed: bytes) -> None:
    with pytest.raises(ValueError, match="hashes"):
        Frontier.decode(size, packed)
