"""``python -m regulome.perturbation``: prepare, train, predict, network, evaluate; also ``regulome perturbation``."""

from pathlib import Path
from typing import Annotated

import typer

from regulome.errors import as_message

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Model = Annotated[Path, typer.Argument(help="Folder of `train`, or a model file.")]
Out = Annotated[Path, typer.Option(help="Folder for the result: new, or an earlier one.")]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder with other content.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--perturbation", "-p", help="Gene, or genes joined by + (default: all of the data)."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads; results may differ in the last bits between numbers.")]


@app.command()
def prepare(
    cells: Annotated[Path, typer.Argument(help="h5ad file of raw counts, see docs/perturbation.md.")],
    out: Annotated[Path, typer.Option(help="h5ad file for the prepared screen.")],
    settings: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Summary statistics (xlsx or csv): strong perturbations only.")
    ] = None,
    sheet: Annotated[str, typer.Option(help="Its sheet.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Prepare raw counts: quality flags, split, latent genes, matched controls."""
    from regulome.perturbation import prepare_command

    prepare_command.run(cells, out, settings, summary, sheet, force)


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="YAML file, see docs/perturbation.md.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the result (default: results/NAME).")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda (default: the file's).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed (default: the file's).")] = None,
    threads: Threads = 1,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget the checkpoint of an interrupted training.")
    ] = False,
    force: Force = False,
) -> None:
    """Train a model on raw counts or a prepared screen; an interrupted training goes on where it was."""
    import torch

    from regulome.perturbation import train_command

    torch.set_num_threads(threads)
    train_command.run(config, out, train_command.Options(device, seed, restart, force))


@app.command()
def predict(
    model: Model,
    out: Out,
    perturbation: Labels = None,
    cells: Annotated[int, typer.Option(min=0, help="Sampled cells of each to write as cells.h5ad.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    force: Force = False,
) -> None:
    """Predict perturbations: effects.csv and pseudobulk.csv, a row each, and cells.h5ad with --cells."""
    from regulome.perturbation import model_commands

    model_commands.predict(model, out, perturbation, cells, seed, force)


@app.command()
def network(
    model: Model,
    out: Out,
    threshold: Annotated[float, typer.Option(help="Edges of a larger |score| (published: probability 0.5).")] = 0.5,
    force: Force = False,
) -> None:
    """Write the learned network: network.csv and network.graphml."""
    from regulome.perturbation import model_commands

    model_commands.network(model, out, threshold, force)


@app.command()
def evaluate(
    model: Annotated[
        list[Path], typer.Argument(help="Folders of `train`, or model files; several seeds of one model.")
    ],
    out: Out,
    data: Annotated[
        Path | None, typer.Option(help="Prepared screen (default: screen.h5ad of the first folder).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    force: Force = False,
) -> None:
    """Score predicted effects on held-out cells, beside every baseline and the ceilings: scores.csv."""
    from regulome.perturbation import model_commands

    model_commands.evaluate(model, out, data, seed, force)


def main() -> None:
    """Run the command line; a user's mistake ends it with its message alone and status 2."""
    with as_message():
        app(prog_name="python -m regulome.perturbation")


if __name__ == "__main__":
    main()
