"""Protein vectors without a language model: k-mers and physico-chemical means.

For a machine that cannot reach the weights of one, and the baseline for those that can. What a vector holds:

1. composition: share of each of the 20 amino acids and of all other letters (21 numbers), and ``ln(length)``;
2. ``ln(1 + count)`` of all 2-mers, hashed into 512 buckets, and of all 3-mers, hashed into 2048; k-mers with a letter
   other than the 20 are left out;
3. the mean over residues of ten scales (`SCALES`).

The hash is splitmix64's finaliser over the k-mer's number in base 20: the same on every machine and in every
version, unlike Python's own. More buckets mean fewer collisions and better neighbours, at the price of width. A model
standardises each number over its training proteins.
"""

import numpy as np

from regulome.binding.sequences import Sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
KS = (2, 3)
BUCKETS = 2048  # at most; short k-mers need fewer
POOLING = "counts and means over the sequence"
SCALES = (
    "hydropathy (Kyte-Doolittle)", "flexibility (Vihinen)", "hydrophilicity (Hopp-Woods)",
    "surface accessibility (Emini)", "transfer energy (Janin)", "mass (Da / 100)", "charge at pH 7", "charged",
    "aromatic", "tiny",
)  # fmt: skip


def source_name(ks: tuple[int, ...] = KS, buckets: int = BUCKETS) -> str:
    """Name that travels with the vectors."""
    return f"k-mers ({', '.join(map(str, ks))}; {buckets} buckets) + physico-chemical, {width(ks, buckets)}"


def width(ks: tuple[int, ...] = KS, buckets: int = BUCKETS) -> int:
    """Numbers a vector."""
    return len(LETTERS) + 2 + sum(bucket_count(k, buckets) for k in ks) + len(SCALES)


def bucket_count(k: int, buckets: int) -> int:
    """Buckets of the k-mers: no more than the next power of two above their 20^k."""
    return min(buckets, 1 << (len(LETTERS) ** k - 1).bit_length())


def featurise(proteins: Sequences, ks: tuple[int, ...] = KS, buckets: int = BUCKETS) -> Vectors:
    """Vectors of proteins (see the module), float32, the same for the same sequence whatever stands beside it.

    Raises
    ------
    UserError
        Sequences that are no proteins, or none.
    """
    if proteins.kind != "protein":
        raise UserError(f"{proteins.source}: found {proteins.kind.upper()} sequences; expected proteins")
    if not len(proteins):
        raise UserError(f"{proteins.source}: no sequences; expected at least one")
    scales = scale_table()
    values = np.stack([_vector(letters, ks, buckets, scales) for letters in proteins.letters])
    return Vectors(proteins.names, values.astype(np.float32), source_name(ks, buckets), proteins.checksum(), POOLING)


def _vector(letters: str, ks: tuple[int, ...], buckets: int, scales: np.ndarray) -> np.ndarray:
    codes = _codes(letters)
    counts = np.bincount(codes, minlength=len(LETTERS) + 1)
    known = counts[: len(LETTERS)]
    means = known @ scales / max(1, known.sum())
    hashed = [np.log1p(kmer_counts(codes, k, bucket_count(k, buckets))) for k in ks]
    return np.concatenate([counts / len(codes), [np.log(len(codes))], *hashed, means])


def _codes(letters: str) -> np.ndarray:
    """0 to 19 in the order of `LETTERS`, 20 for any other letter."""
    table = np.full(128, len(LETTERS), dtype=np.int64)
    table[np.frombuffer(LETTERS.encode(), dtype=np.uint8)] = np.arange(len(LETTERS))
    return table[np.frombuffer(letters.encode("ascii"), dtype=np.uint8)]


def kmer_counts(codes: np.ndarray, k: int, buckets: int) -> np.ndarray:
    """Number of k-mers in each bucket, (buckets,); those with an unknown letter are left out."""
    if len(codes) < k:
        return np.zeros(buckets, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, k)
    windows = windows[(windows < len(LETTERS)).all(1)]
    numbers = windows @ (len(LETTERS) ** np.arange(k)[::-1])
    return np.bincount(_mixed(numbers, k) % np.uint64(buckets), minlength=buckets)


def _mixed(numbers: np.ndarray, k: int) -> np.ndarray:
    """Finaliser of splitmix64 (Steele, Lea & Flood 2014), so that neighbouring k-mers fall into unrelated buckets."""
    with np.errstate(over="ignore"):
        x = numbers.astype(np.uint64) + np.uint64(k) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def scale_table() -> np.ndarray:
    """(20, 10) the scales of `SCALES` for the amino acids of `LETTERS`; published values as Biopython holds them."""
    from Bio.Data.IUPACData import protein_weights
    from Bio.SeqUtils import ProtParamData as published

    columns = [
        published.kd,
        published.Flex,
        published.hw,
        published.em,
        published.ja,
        {letter: mass / 100 for letter, mass in protein_weights.items()},
        {"K": 1, "R": 1, "D": -1, "E": -1, "H": 0.1},
        dict.fromkeys("KRDE", 1),
        dict.fromkeys("FWYH", 1),
        dict.fromkeys("AGS", 1),
    ]
    return np.array([[column.get(letter, 0.0) for column in columns] for letter in LETTERS], dtype=float)
