"""Pairs of rows that may be alike, found through sorted keys, never by comparing all pairs.

Signatures are cut into bands (locality-sensitive hashing), picture hashes into pieces of which some are equal within a
Hamming radius (multi-index hashing: Norouzi, Punjani, Fleet, 2012). Rows whose keys are equal become neighbours by
sorting; each is paired with at most `WINDOW` of those that follow, so that work is linear however many are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Signatures = NDArray[np.uint8]  # (n, number of slots)
PictureHashes = NDArray[np.uint64]
Keys = NDArray[np.uint64]
Pairs = tuple[Indices, Indices]

SIGNATURE_BYTES: Final = 256
"""Slots of a signature, a byte each: the estimate of a Jaccard index of 0.7 has a standard deviation of 0.029."""

WINDOW: Final = 32
SLOTS_PER_BAND: Final = 6
"""With 256 slots, 42 bands: pairs of Jaccard index 0.6, 0.7, 0.8 share one with probability 0.87, 0.995, 0.999997;
of 0.1 in 19,000 pairs one does."""

BLOCK: Final = 4_096
"""Pairs compared at once: 2 MB of signatures."""

_PLACES_AT_ONCE: Final = 4_096


class StoredSignatures(Protocol):
    """Signatures that are read where they are needed (`curation.signature_file`)."""

    def slots(self, columns: Sequence[int]) -> Signatures:
        """Chosen slots of all rows, (n, len(columns))."""
        ...


def estimated_jaccard(signatures: Signatures, left: Indices, right: Indices) -> NDArray[np.float32]:
    """The estimate of the Jaccard index of each pair; slots of a byte agree by chance once in 256 (b-bit MinHash)."""
    chance = 1 / 256
    out = np.empty(len(left), np.float32)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        share = (signatures[left[part]] == signatures[right[part]]).mean(axis=1)
        out[part] = np.maximum(0.0, (share - chance) / (1 - chance))
    return out


def hamming(hashes: PictureHashes, left: Indices, right: Indices) -> NDArray[np.uint8]:
    """In how many bits the hashes of each pair differ."""
    distances: NDArray[np.uint8] = np.bitwise_count(hashes[left] ^ hashes[right])
    return distances


def pairs_by_signature(signatures: StoredSignatures, places: Indices) -> Iterator[Pairs]:
    """Pairs of rows, of those at `places`, that share a band, band by band; the same pair may come again."""
    for start in range(0, SIGNATURE_BYTES - SLOTS_PER_BAND + 1, SLOTS_PER_BAND):
        end = start + SLOTS_PER_BAND
        # Within a bucket by the slots that follow: those that are alike stand beside each other.
        following = [slot % SIGNATURE_BYTES for slot in range(end, end + 8)]
        slots = signatures.slots([*range(start, end), *following])[places]
        keys, tiebreak = packed(slots[:, :SLOTS_PER_BAND]), packed(slots[:, SLOTS_PER_BAND:])
        del slots
        for left, right in _neighbours(keys, tiebreak):
            yield places[left], places[right]


def pairs_by_picture(hashes: PictureHashes, radius: int, tiebreak: Keys) -> Iterator[Pairs]:
    """Pairs of rows whose hashes may lie within `radius` bits; none of those that do is left out by the index.

    Of `radius` + 2 pieces at least two are equal then, so rows are sorted by each two pieces. Within a bucket they
    stand by `tiebreak`; only there, beyond `WINDOW` rows of one bucket, can a pair be passed over.
    """
    ends = np.linspace(0, 64, radius + 3).round().astype(int)
    masks = [((1 << int(high)) - 1) ^ ((1 << int(low)) - 1) for low, high in pairwise(ends)]
    for one, other in combinations(masks, 2):
        yield from _neighbours(hashes & np.uint64(one | other), tiebreak)


def packed(slots: Signatures) -> Keys:
    """Up to eight slots as one number, the first highest."""
    key = np.zeros(len(slots), np.uint64)
    for slot in slots.T:
        key = (key << np.uint64(8)) | slot
    return key


def _neighbours(keys: Keys, tiebreak: Keys) -> Iterator[Pairs]:
    """Pairs of rows of equal key, at most `WINDOW` places apart.

    First those beside each other: where all rows of a bucket are alike they link it, and no other needs comparing. Then
    for some rows after others all that follow: what is read of a row serves all of its pairs.
    """
    order = np.lexsort((tiebreak, keys))
    in_order = keys[order]
    places = np.flatnonzero(in_order[1:] == in_order[:-1])
    for start in range(0, len(places), _PLACES_AT_ONCE):
        some = places[start : start + _PLACES_AT_ONCE]
        yield order[some], order[some + 1]
    places = places[:-1][np.diff(places) == 1]  # those of which the next is not the last of its bucket
    for start in range(0, len(places), _PLACES_AT_ONCE):
        some = places[start : start + _PLACES_AT_ONCE, None]
        others = np.minimum(some + np.arange(2, WINDOW + 1), len(order) - 1)
        others[in_order[others] != in_order[some]] = -1
        # at the end the last row would come again and again
        others[:, 1:][others[:, 1:] == others[:, :-1]] = -1
        found = others >= 0
        yield order[np.broadcast_to(some, others.shape)[found]], order[others[found]]
