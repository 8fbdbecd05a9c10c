"""The tree of RFC 6962: its published vectors, and pymerkle's judgement."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle.proof import verify_consistency

from issuance_server.merkle import Frontier, leaf_hash

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
def test_pymerkle_sees_the_same_roots_and_that_one_goes_on_from_the_other(
    entries: list[bytes], data: st.DataObject
) -> None:
    tree, roots, frontier = judge(entries), [b""], Frontier()
    for entry in entries:
        frontier = frontier.add(leaf_hash(entry))
        roots.append(frontier.root())
    old_size = data.draw(st.integers(1, len(entries)))
    assert (roots[-1], roots[old_size]) == (tree.get_root(), tree.get_root(old_size))
    verify_consistency(roots[old_size], roots[-1], tree.prove_consistency(old_size, len(entries)))


@pytest.mark.parametrize(("size", "packed"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (1, bytes(33))])
def test_a_frontier_of_no_tree_is_refused(size: int, packed: bytes) -> None:
    with pytest.raises(ValueError, match="hashes"):
        Frontier.decode(size, packed)
