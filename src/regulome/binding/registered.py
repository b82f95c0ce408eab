"""Real RNAcompete data, read through `regulome.data.fetch`: what was measured and what was published about it.

Experiments are named as in their source ("RNCMPT00001"). The compendium of EuPRI holds 420 of them; their order here
is everywhere that of the profile-correlation matrix. Probe intensities are at hand for two experiments only; the
other 418 are known by the correlations between their measured 7-mer profiles, by motifs and by sequences.
"""

import re

import numpy as np
import pandas as pd

from regulome import data
from regulome.binding.compendium import Compendium
from regulome.binding.sequences import Sequences, read_sequences, sequences, text_lines
from regulome.binding.vectors import Vectors
from regulome.errors import UserError

MEASURED = ("RNCMPT00001", "RNCMPT00002")  # human A1CF and ANKHD1
VECTORS = {
    "unirep": ("rbp_unirep", "UniRep 1900 mean, published"),
    "bert": ("rbp_bert", "TAPE-BERT 768 mean, published"),
}
_SETS = {"train": "A", "test": "B"}
_NUMERIC = ["paligned", "pident", "query_start", "query_end", "subject_start", "subject_end"]


def measured(mirror=None) -> Compendium:
    """Measured probe intensities: 2 proteins x 59,996 probes, 29,998 of set A, then 29,998 of set B.

    Intensities are normalised and signed. Each of the four files has 30,000 probes; two of them are missing in the
    other experiment's file (flagged spots, as it seems) and are left out. Probes are named "A1", "A2", ..., "B29998".
    """
    values, letters, halves = [], [], []
    for half, name in _SETS.items():
        first, second = (_probe_file(f"rnacompete_{experiment}_{half}", mirror) for experiment in MEASURED)
        common = [probe for probe in first if probe in second]
        values.append([[file[probe] for probe in common] for file in (first, second)])
        letters += common
        halves += [name] * len(common)
    names = [f"{name}{i + 1}" for part, name in zip(values, _SETS.values(), strict=True) for i in range(len(part[0]))]
    everyone = constructs(mirror)
    proteins = everyone.take([everyone.index()[name] for name in MEASURED])
    rnas = sequences(letters, "rna", names, "RNAcompete probes")
    intensities = np.concatenate(values, axis=1).astype(np.float32)
    return Compendium(proteins, rnas, intensities, "measured", np.array(halves), "RNAcompete, 2 experiments")


def _probe_file(key: str, mirror) -> dict[str, float]:
    """Sequence -> intensity, from a file with "intensity sequence" in each line."""
    path = data.fetch(key, mirror)
    found: dict[str, float] = {}
    for number, line in enumerate(text_lines(path), start=1):
        try:
            value, probe = line.split()
            intensity = float(value)
        except ValueError:
            raise UserError(f"{path} line {number}: found {line[:40]!r}; expected 'intensity sequence'") from None
        if probe in found:
            raise UserError(f"{path} line {number}: probe {probe} occurs twice; expected different probes")
        found[probe] = intensity
    return found


def experiments(mirror=None) -> list[str]:
    """Names of the 420 experiments, in the order of the profile-correlation matrix."""
    path = data.fetch("rbp420_profile_correlation", mirror)
    with path.open() as file:
        return file.readline().lstrip("#").split()


def metadata(mirror=None) -> pd.DataFrame:
    """What is known of the 420 experiments: one row each, indexed by name; empty text where the source has nothing.

    Among the columns: gene_name, tax_name, construct_aa_seq, construct_domains (";" between them),
    rnacompete_flagged and the coordinates of the construct in the protein.
    """
    path = data.fetch("eupri_metadata", mirror)
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index("rnacompete_id")
    names = experiments(mirror)
    _same_names(path, table.index, names)
    table[_NUMERIC] = table[_NUMERIC].apply(pd.to_numeric, errors="coerce")
    return table.loc[names]


def constructs(mirror=None) -> Sequences:
    """Sequences of the 420 measured constructs: 74 to 912 residues, 392 of them different.

    They come from the metadata; the FASTA file of the source (`fasta`) has only 348 of them.
    """
    table = metadata(mirror)
    return sequences(list(table["construct_aa_seq"]), "protein", list(table.index), "EuPRI constructs")


def fasta(mirror=None) -> Sequences:
    """The 348 sequences that the source's authors trained on; the same letters as in `constructs`."""
    return read_sequences(data.fetch("eupri_sequences", mirror), "protein")


def profile_correlation(mirror=None) -> pd.DataFrame:
    """420 x 420 Pearson correlation between measured 7-mer Z-score profiles: a Gram matrix of unit vectors."""
    path = data.fetch("rbp420_profile_correlation", mirror)
    return _square(path, experiments(mirror))


def identities(mirror=None) -> pd.DataFrame:
    """420 x 420 per cent identical residues by local alignment of the binding regions, as published; symmetric.

    Columns of the file are named PROTEIN||EXPERIMENT and are in another order; both are set right here.
    """
    path = data.fetch("rbp_identity_local", mirror)
    with path.open() as file:
        columns = [re.sub(r".*\|\|", "", name) for name in file.readline().lstrip("#").split()]
    names = experiments(mirror)
    _same_names(path, columns, names)
    return _square(path, columns).loc[names, names]


def pwms(mirror=None) -> dict[str, np.ndarray]:
    """Published position weight matrices: experiment -> (width, 4) probabilities of A, C, G, U."""
    path = data.fetch("rbp420_pwms", mirror)
    found: dict[str, list[list[float]]] = {}
    name = ""
    for number, line in enumerate(text_lines(path), start=1):
        cells = line.split()
        if not cells or cells[0] in ("#", "Pos"):
            continue
        if cells[0] == "Motif":
            name = cells[1]
            found[name] = []
        elif name and len(cells) == 5:
            found[name].append([float(cell) for cell in cells[1:]])
        else:
            raise UserError(f"{path} line {number}: found {line[:40]!r}; expected a position and four probabilities")
    _same_names(path, found, experiments(mirror))
    return {name: np.array(rows) for name, rows in found.items()}


def replicate_agreement(mirror=None) -> pd.Series:
    """Pearson correlation of 7-mer Z-scores between probe sets A and B, by experiment: the ceiling of any prediction.

    421 experiments; three are not among the 420, and two of the 420 (RNCMPT00401, RNCMPT00628) are missing.
    """
    path = data.fetch("rbp_set_a_set_b", mirror)
    table = pd.read_csv(path, sep=r"\s+", skiprows=1, header=None, index_col=0)
    return table[1].rename("pearson").rename_axis("experiment")


def rrm_kh(mirror=None) -> list[str]:
    """Names of the 355 experiments with RRM or KH domains of the published leave-one-out comparison."""
    return data.fetch("rbp_rrm_kh_unique", mirror).read_text().split()


def published_vectors(source: str, mirror=None) -> Vectors:
    """Published protein vectors of the 420 experiments, "unirep" (1,900 numbers) or "bert" (768).

    The files hold 426 constructs; the six that are not among the 420 are left out.
    """
    if source not in VECTORS:
        raise UserError(f"source: found '{source}'; expected {' or '.join(VECTORS)}")
    key, label = VECTORS[source]
    path = data.fetch(key, mirror)
    with np.load(path, allow_pickle=False) as file:
        position = {name: i for i, name in enumerate(file["expnames"].tolist())}
        values = file["features"].T
    names = experiments(mirror)
    missing = [name for name in names if name not in position]
    if missing:
        raise UserError(f"{path}: no vector of {missing[0]}; expected all {len(names)} experiments")
    return Vectors(tuple(names), np.ascontiguousarray(values[[position[n] for n in names]], dtype=np.float32), label)


def _square(path, names: list[str]) -> pd.DataFrame:
    """A square matrix below one line of header, rows in the order of the columns."""
    values = np.loadtxt(path, comments="#", dtype=np.float64)
    if values.shape != (len(names), len(names)):
        raise UserError(f"{path}: found a matrix of {values.shape}; expected {len(names)} x {len(names)}")
    return pd.DataFrame(values, index=names, columns=names)


def _same_names(path, found, expected: list[str]) -> None:
    if sorted(found) != sorted(expected):
        odd = sorted(set(found) ^ set(expected))[:1] or ["a name that occurs twice"]
        raise UserError(f"{path}: experiments differ from those of the profile correlations, first at {odd[0]}")
