"""One way to protein vectors, several sources.

==========================  =====================================================================================
``kmers``                   the featuriser: k-mers and physico-chemical means; needs nothing, is no language model
an ESM-2 model's name       fair-esm's weights from the hub, any size, one layer in memory at a time
a path to ``*.pt``          a local ESM-2 checkpoint in fair-esm's format, the same
``*.npz``, ``*.csv``        vectors made before, with a header; refused where they belong to other sequences
``*.npy``                   the published course layout, without a header
==========================  =====================================================================================

Whatever the source, its name is in the result and goes into files, checkpoints and figure titles.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from regulome.binding import featuriser, vector_files
from regulome.binding.esm_checkpoint import MODELS, SIZES
from regulome.binding.featuriser import featurise
from regulome.binding.sequences import Sequences
from regulome.binding.vectors import Vectors
from regulome.errors import UserError, closest

KMERS = "kmers"


def embed(
    source: str, proteins: Sequences, device: str = "auto", threads: int | None = None, progress: bool = True
) -> Vectors:
    """Vectors of proteins.

    Parameters
    ----------
    source
        See the module.
    device
        For ESM-2: "cpu", "cuda" or "auto".
    threads
        CPU threads of ESM-2 (default: as torch is set).
    progress
        Show a bar over ESM-2's layers where someone looks at it.

    Returns
    -------
    Vectors
        (P, width) float32, in the order of the proteins.

    Raises
    ------
    UserError
        An unknown source, and what the source itself refuses: sequences, checkpoints, files of vectors.
    """
    check_source(source)
    if source == KMERS:
        return featurise(proteins)
    if vector_files.is_vector_file(source):
        return vector_files.load(source, proteins)
    from regulome.binding.esm_streaming import embed_streamed

    with _threads(threads):
        return embed_streamed(source, proteins, device=device, progress=progress)


def check_source(source: str) -> None:
    """Refuse what is neither a source nor looks like a file of one; nothing is read."""
    if source in (KMERS, *MODELS) or source.endswith(".pt") or vector_files.is_vector_file(source):
        return
    known = (KMERS, *MODELS)
    raise UserError(
        f"source is '{source}'{closest(source, known)}; expected {KMERS}, an ESM-2 model ({', '.join(MODELS)}), a path "
        f"to a checkpoint (.pt) or to vectors ({', '.join(vector_files.SUFFIXES)})"
    )


def announced(source: str) -> tuple[str, int] | None:
    """`Vectors.source` and width of what `embed` will make, before it is made; None where only a file can tell."""
    if source == KMERS:
        return featuriser.source_name(), featuriser.width()
    if source in SIZES:
        layers, width, _ = SIZES[source]
        return f"{source} layer {layers} mean", width
    return None


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        yield
    finally:
        torch.set_num_threads(before)
