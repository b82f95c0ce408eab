"""The command ``python -m regulome.binding OUT_DIR RBP_FILE RNA_FILE``: scores of proteins on RNAs, a file a protein.

Everything that can be wrong is checked first, then the work with a progress bar, then the folder appears as a whole:
RBP201.txt, RBP202.txt, ... (one number an RNA, ``%.8f``, in the order of RNA_FILE; one file a line of RBP_FILE, in its
order, whatever occurs twice), proteins.csv (which file is which protein, and what to expect of it) and prediction.json
(what was used, and the list of the files). Messages go to stderr.
"""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from regulome import __version__, devices
from regulome.binding import bulk_format, rna_windows
from regulome.binding.compendium import read_compendium
from regulome.binding.scoring import Coverage, Scorer, load
from regulome.binding.sequences import Sequences, read_sequences
from regulome.binding.validation import correlations
from regulome.binding.vectors import Vectors
from regulome.command_folder import as_json, check_folder, filled
from regulome.errors import UserError
from regulome.progress import duration
from regulome.tables import csv_bytes

MANIFEST, TABLE = "prediction.json", "proteins.csv"
OFFSET = 200  # of the publication: 200 training proteins come first
SHOWN = 50  # proteins named on the terminal; all are in the table


@dataclass(frozen=True)
class BindSettings:
    """Options of the command.

    Attributes
    ----------
    model
        Predictor or two-tower network; None: the shipped predictor.
    method
        "combination", "two-tower" or "homology"; None: the best that the file has.
    embedding
        Source of the protein vectors (`embedding_sources.embed`); None: what the model was trained on.
    structure
        Where PHIME profiles are kept between runs, or a structure.npz of notebook 12.
    measured
        Measured intensities, rows RNAs and columns proteins, to report correlations.
    offset
        The first file is RBP<offset + 1>.txt.
    unknown
        "error" or "replace": letters outside the alphabet.
    threads
        Threads and processes; None: all cores.
    device
        "auto", "cpu" or "cuda".
    force
        Write into a folder with other content.
    """

    model: Path | None = None
    method: str | None = None
    embedding: str | None = None
    structure: Path | None = None
    measured: Path | None = None
    offset: int = OFFSET
    unknown: str = "error"
    threads: int | None = None
    device: str = "auto"
    force: bool = False

    def __post_init__(self) -> None:
        if self.offset < 0:
            raise UserError(f"--offset is {self.offset}; expected at least 0")
        if self.threads is not None and self.threads < 1:
            raise UserError(f"--threads is {self.threads}; expected at least 1")
        if self.unknown not in ("error", "replace"):
            raise UserError(f"--unknown is '{self.unknown}'; expected error or replace")
        devices.choose(self.device)

    @property
    def workers(self) -> int:
        """Threads and processes."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True)
class Prediction:
    """What a run made.

    Attributes
    ----------
    scores
        (P, N) float32.
    table
        One row a protein: file, name, coverage; with ``measured`` the correlation.
    seconds
        Wall-clock seconds by stage.
    """

    scores: np.ndarray
    table: pd.DataFrame
    seconds: dict[str, float] = field(default_factory=dict)


def run(out: Path, rbp_file: Path, rna_file: Path, settings: BindSettings | None = None) -> Prediction:
    """Predict and write the folder.

    Raises
    ------
    UserError
        If an option, a file, the model or the folder is no good: then nothing has been written.
    """
    settings, clock = settings or BindSettings(), Clock()
    with clock("read"):
        check_folder(out, MANIFEST, settings.force, "OUT_DIR")
        proteins = read_sequences(rbp_file, "protein", settings.unknown)
        rnas = read_sequences(rna_file, "rna", settings.unknown)
        measured = _measured(settings, rbp_file, rna_file)
        scorer = load(settings.model, settings.method)
        scorer.check(settings.embedding, settings.structure)
    say(f"{len(proteins)} proteins, {len(rnas)} RNAs{_changes(proteins)}{_changes(rnas)}")
    say(f"model: {scorer.about}")
    if settings.model is None and settings.method is None and scorer.method != scorer.methods[0]:
        say("ViennaRNA is not installed, so the network is left out: pip install ViennaRNA for the combination")
    if settings.structure is not None and not scorer.structure_used:
        say("--structure is not needed: this model reads no structure profiles")
    with clock("protein vectors"):
        vectors = scorer.vectors(proteins, settings.embedding, settings.device, settings.workers)
        coverage = scorer.coverage(proteins)
    windows = _windows(rnas, scorer)
    _say_unusual(rnas, scorer)
    with clock("structure"):
        structure = scorer.profiles(windows.rnas, settings.structure, settings.workers)
    with clock("scores"), _without_warnings():
        scores = scorer.scores(proteins, vectors, windows.rnas, structure, settings.device, settings.workers)
        scores = windows.best(scores)
    table = _table(proteins, settings.offset, coverage, scores, measured)
    _say_table(table)
    with clock("write"):
        write(out, scores, table, _manifest(settings, scorer, vectors, proteins, rnas, windows))
    say(f"{len(proteins)} files in {out}, {clock}")
    return Prediction(scores, table, clock.seconds)


def write(out: Path, scores: np.ndarray, table: pd.DataFrame, manifest: dict) -> None:
    """Write the folder: one file a protein, named by the table, the table, the manifest."""
    with filled(out, MANIFEST, "OUT_DIR") as folder:
        for name, row in zip(table["file"], scores, strict=True):
            (folder / name).write_bytes(bulk_format.lines(row))
        (folder / TABLE).write_bytes(csv_bytes(table))
        files = sorted([*table["file"], TABLE, MANIFEST])
        (folder / MANIFEST).write_bytes(as_json(manifest | {"files": files}))


class Clock:
    """Seconds of named stages."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a block."""
        began = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - began

    def __str__(self) -> str:
        long = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in self.seconds.items() if seconds >= 1)
        return f"after {duration(sum(self.seconds.values()))}" + (f" ({long})" if long else "")


def say(text: str) -> None:
    """A line on stderr; stdout stays free."""
    print(text, file=sys.stderr, flush=True)


# --- parts of a run


def _measured(settings: BindSettings, rbp_file: Path, rna_file: Path) -> np.ndarray | None:
    if settings.measured is None:
        return None
    return read_compendium(settings.measured, rbp_file, rna_file, unknown=settings.unknown).intensities


def _windows(rnas: Sequences, scorer: Scorer) -> rna_windows.Windows:
    windows = rna_windows.cut(rnas, scorer.longest)
    if windows.cut:
        say(
            f"WARNING: {windows.cut} of {len(rnas)} RNAs are longer than {scorer.longest} bases, the longest that the "
            f"model knows: each is read as windows of {scorer.longest} bases, and its score is that of the best window"
        )
    return windows


def _say_unusual(rnas: Sequences, scorer: Scorer) -> None:
    """RNAs that are read, though the training had none like them."""
    short = sum(length < scorer.shortest for length in rnas.lengths)
    if short:
        say(
            f"WARNING: {short} of {len(rnas)} RNAs are shorter than {scorer.shortest} bases, the shortest of the "
            "training: their scores are extrapolated"
        )
    unknown = sum(letters.count("N") for letters in rnas.letters)
    if unknown:
        how = "as A by the network, as published" if scorer.network_used else "as no k-mer"
        say(f"WARNING: {unknown} unknown bases (N) are read {how}")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Without Python's warning of unknown bases: `_say_unusual` has said it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* unknown bases")
        yield


def _changes(sequences: Sequences) -> str:
    counts = ", ".join(f"{number} with {what}" for what, number in sequences.changed)
    return f"; {Path(sequences.source).name}: {counts}" if counts else ""


def _table(
    proteins: Sequences, offset: int, coverage: Coverage | None, scores: np.ndarray, measured: np.ndarray | None
) -> pd.DataFrame:
    """One row a file."""
    table = pd.DataFrame(
        {
            "file": [f"RBP{offset + i}.txt" for i in range(1, len(proteins) + 1)],
            "protein": proteins.names,
            "residues": proteins.lengths,
        }
    )
    if coverage is not None:
        table = table.join(coverage)
    if measured is not None:
        table["r_measured"] = correlations(scores, measured)
    return table


def _say_table(table: pd.DataFrame) -> None:
    if not {"nearest", "r_measured"} & set(table):
        return
    for row in table.head(SHOWN).to_dict("records"):
        text = f"{row['file']}  {row['protein']}"
        if "nearest" in row:
            text += (
                f": nearest training protein {row['nearest']}, {row['nearest_identity']:.0%} identical; expected r "
                f"{row['expected_r']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            )
        if "r_measured" in row:
            text += f"; r with the measured intensities {row['r_measured']:.3f}"
        say(text)
    if len(table) > SHOWN:
        say(f"and {len(table) - SHOWN} more in {TABLE}")
    if "r_measured" in table:
        say(f"r with the measured intensities: mean {table['r_measured'].mean():.3f}, median "
            f"{table['r_measured'].median():.3f} of {len(table)} proteins")  # fmt: skip


def _manifest(
    settings: BindSettings,
    scorer: Scorer,
    vectors: Vectors | None,
    proteins: Sequences,
    rnas: Sequences,
    windows: rna_windows.Windows,
) -> dict:
    return {
        "made_by": f"regulome {__version__}, command bind",
        "model": scorer.about,
        "model_sha256": scorer.sha256,
        "method": scorer.method,
        "protein_vectors": None if vectors is None else vectors.source,
        "proteins": {"file": Path(proteins.source).name, "count": len(proteins), "sha256": proteins.checksum()},
        "rnas": {"file": Path(rnas.source).name, "count": len(rnas), "sha256": rnas.checksum()},
        "changed": {"proteins": dict(proteins.changed), "rnas": dict(rnas.changed)},
        "rnas_read_as_windows": windows.cut,
        "longest_rna": scorer.longest,
        "offset": settings.offset,
    }
