"""``python -m regulome.binding OUT_DIR RBP_FILE RNA_FILE``: the command of the publication; also ``regulome bind``."""

from pathlib import Path
from typing import Annotated

import typer

from regulome.errors import as_message


def bind(
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the scores: new, or an earlier one.")],
    proteins: Annotated[Path, typer.Argument(metavar="RBP_FILE", help="Proteins: one a line, or FASTA; may be .gz.")],
    rnas: Annotated[Path, typer.Argument(metavar="RNA_FILE", help="RNAs: one a line, or FASTA; may be .gz.")],
    model: Annotated[Path | None, typer.Option(help="Predictor or network (default: the shipped one).")] = None,
    method: Annotated[str | None, typer.Option(help="combination, two-tower or homology (default: the first).")] = None,
    embedding: Annotated[
        str | None, typer.Option(help="Protein vectors: kmers, an ESM-2 model or .pt, a file (default: the model's).")
    ] = None,
    structure: Annotated[Path | None, typer.Option(help="File that keeps PHIME profiles between runs.")] = None,
    measured: Annotated[Path | None, typer.Option(help="Matrix of measured intensities: report correlations.")] = None,
    offset: Annotated[int, typer.Option(help="The first file is RBP<offset + 1>.txt.")] = 200,
    unknown: Annotated[str, typer.Option(help="Letters outside the alphabet: error, or replace (X or N).")] = "error",
    threads: Annotated[int | None, typer.Option(help="Threads and processes (default: all cores).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Write into a folder with other content.")] = False,
) -> None:
    """Predict how strongly proteins, known or never assayed, bind RNAs: one file a protein, one number an RNA."""
    from regulome.binding import bind_command

    settings = bind_command.BindSettings(
        model, method, embedding, structure, measured, offset, unknown, threads, device, force
    )
    bind_command.run(out, proteins, rnas, settings)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(bind)
    with as_message():
        app()
