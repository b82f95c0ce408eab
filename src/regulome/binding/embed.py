"""``python -m regulome.binding.embed PROTEINS OUT``: vectors of proteins in a file that says what made them."""

from pathlib import Path
from typing import Annotated

import typer

from regulome.errors import UserError, as_message


def embed(
    proteins: Annotated[Path, typer.Argument(help="FASTA, or one sequence a line; plain or .gz.")],
    out: Annotated[Path, typer.Argument(help="File to write: .npz or .csv.")],
    source: Annotated[str, typer.Option(help="kmers, an ESM-2 model, or a checkpoint .pt.")] = "kmers",
    unknown: Annotated[str, typer.Option(help="Letters that are no amino acids: error, or replace by X.")] = "error",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (default: as torch chooses).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Embed proteins: one vector a protein, in the order of the file."""
    from regulome.binding import embedding_sources, vector_files
    from regulome.binding.sequences import read_sequences

    if unknown not in ("error", "replace"):
        raise UserError(f"--unknown is '{unknown}'; expected error or replace")
    if out.suffix not in (".npz", ".csv"):
        raise UserError(f"{out}: found the ending '{out.suffix}'; expected .npz or .csv")
    if out.exists() and not force:
        raise UserError(f"{out}: exists; expected a new file, or --force")
    sequences = read_sequences(proteins, "protein", unknown)
    vectors = embedding_sources.embed(source, sequences, device, threads)
    vector_files.save(vectors, out)
    for what, number in sequences.changed:
        print(f"{proteins}: {what}: {number}")
    print(f"{out}: {len(vectors)} proteins x {vectors.width} numbers, {vectors.source}")


def main() -> None:
    """Run; a user's mistake ends it with its message alone and status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(embed)
    with as_message():
        app()


if __name__ == "__main__":
    main()
