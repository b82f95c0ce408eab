"""The command line. Every command imports only what it needs."""

from pathlib import Path
from typing import Annotated

import typer

from regulome import __version__
from regulome.binding.__main__ import bind
from regulome.errors import as_message
from regulome.perturbation.__main__ import app as perturbation_app

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True)
app.add_typer(data_app, name="data", help="List and fetch the real data files of the registry.")
app.add_typer(perturbation_app, name="perturbation", help="Perturbation screens: prepare, train, predict, evaluate.")

Profile = Annotated[str, typer.Option(help="mini (minutes, embedded data) or paper (the published sizes).")]


def main() -> None:
    """Run the command line; a user's mistake ends it with its message alone and status 2."""
    with as_message():
        app()


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Knock out genes, links and reactions in four published systems that learn gene regulation."""


@app.command()
def run(
    slug: Annotated[str, typer.Argument(help="Notebook, such as 31_adaptation.")],
    profile: Profile = "mini",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Replace one parameter.")
    ] = None,
) -> None:
    """Run one notebook; figures go to figures/PROFILE/SLUG, the executed notebook to build/PROFILE.

    With -p the result is a trial: the next run of the pipeline replaces it.
    """
    from regulome import notebook, parameters, steps

    steps.step(slug, profile)
    notebook.run(slug, profile, parameters.from_command_line(slug, parameter or []))


@app.command()
def shard(
    slug: Annotated[str, typer.Argument(help="Notebook, such as 42_solver_training.")],
    index: Annotated[int, typer.Argument(help="Which shard, from 0.")],
    profile: Profile = "mini",
) -> None:
    """Make one of the pieces that a notebook reads; the pipeline makes all of them, in parallel."""
    from regulome import shards

    print(shards.make(slug, profile, index))


@app.command()
def check(slug: Annotated[str | None, typer.Argument(help="Notebook (default: all).")] = None) -> None:
    """Check notebooks without running them: parameters, defaults, the pair of files, output folders."""
    from regulome import notebook, parameters, paths, steps

    for name in [slug] if slug else steps.table():
        for profile in paths.PROFILES:
            notebook.preflight(name, profile)
        parameters.check_defaults(name)
        print(f"{name}: good")


@app.command()
def report(profile: Profile = "mini") -> None:
    """Write report/index.html and RESULTS.md from the outputs of a profile."""
    from regulome import report as pages

    print(pages.build(profile))


@app.command()
def design(
    task: Annotated[Path, typer.Argument(help="Task in YAML: inputs, target curves, initial levels.")],
    out: Annotated[Path, typer.Option(help="Folder for the results: new, empty, or an earlier design.")],
    replicates: Annotated[int, typer.Option(help="Networks to train.")] = 32,
    updates: Annotated[int, typer.Option(help="Updates of each training.")] = 4001,
    noise: Annotated[float, typer.Option(help="Noise during training, standard deviation of f.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 2021,
    cutoff: Annotated[float, typer.Option(help="Smallest link value that counts as a link.")] = 5e-4,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads (default: all cores).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder with other content.")] = False,
) -> None:
    """Design a circuit: task in YAML to topologies, a Hill circuit, SBML and GraphML.

    Ends with status 0 if the circuit does what the task asks, with 3 if it does not.
    """
    from regulome.circuits import design_command

    settings = dict(replicates=replicates, updates=updates, noise=noise, seed=seed, cutoff=cutoff, device=device)
    if not design_command.run(task, out, settings, threads, force):
        raise typer.Exit(3)


@app.command("enumerate")
def enumerate_circuits(
    criterion: Annotated[Path, typer.Argument(help="Criterion in YAML: runs and conditions on them.")],
    out: Annotated[Path, typer.Option(help="Folder for the results: new, empty, or an earlier enumeration.")],
    sets: Annotated[int, typer.Option(help="Random parameter sets of each topology.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the parameters.")] = 2021,
    method: Annotated[str, typer.Option(help="converged, or euler: the map with the criterion's dt.")] = "converged",
    threads: Annotated[int | None, typer.Option(help="Threads (default: all cores).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder with other content.")] = False,
) -> None:
    """Try every topology with random Hill parameters: which of them meet a criterion, and how often."""
    from regulome.circuits import survey

    survey.run(criterion, out, survey.SurveySettings(sets, seed, method), threads, force)


@app.command("network")
def show_network(
    network: Annotated[str | None, typer.Argument(help="JSON or SBML file, or an example; none: list these.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write it as .json, .xml or .sbml.")] = None,
    infer: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LOW:HIGH", help="Box of a parameter of an SBML model.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Value written to SBML (default: middle of the box).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Check and print a reaction network; turn JSON into SBML and back."""
    from regulome.stochastic import network_command

    if network is None:
        network_command.list_examples()
    else:
        network_command.run(network, write, infer or [], value or [], force)


@app.command()
def simulate(
    network: Annotated[str, typer.Argument(help="Network: a .json, .xml or .sbml file, or the name of an example.")],
    out: Annotated[Path, typer.Option(help="Data set to write (.npz): a new file, or an earlier data set.")],
    sets: Annotated[int, typer.Option(help="Parameter sets of the whole table (Sobol points of the box).")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the parameter sets and trajectories.")] = 0,
    block: Annotated[str, typer.Option(help="i/n: the i-th of n blocks of the table.")] = "1/1",
    engine: Annotated[str, typer.Option(help="auto (exact where the state space is small), exact or ssa.")] = "auto",
    time: Annotated[str | None, typer.Option(help="A time, or LOW:HIGH: one of each set; else stationary.")] = None,
    trajectories: Annotated[int | None, typer.Option(help="Trajectories of each set (simulation).")] = None,
    burn_in: Annotated[float | None, typer.Option(help="Time left out (default: 50 relaxation times).")] = None,
    window: Annotated[float | None, typer.Option(help="Time recorded (default: 1000 relaxation times).")] = None,
    grid: Annotated[float | None, typer.Option(help="Count on a grid of this spacing, not by residence time.")] = None,
    survive: Annotated[str, typer.Option(help="Condition such as 'I > 0': the quasi-stationary distribution.")] = "",
    threads: Annotated[int | None, typer.Option(help="Threads (default: all cores).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Also write the published JSON form beside it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace other files.")] = False,
) -> None:
    """Make a data set: parameter sets of a network's box, each with its distribution."""
    from regulome.stochastic import simulate_command
    from regulome.stochastic.dataset_shards import Simulation

    simulation = Simulation(trajectories, burn_in, window, grid, survive)
    simulate_command.run(network, out, sets, seed, block, engine, time, simulation, threads, json, force)


@app.command("merge")
def merge_blocks(
    blocks: Annotated[list[Path], typer.Argument(help="Data sets that are the blocks of one table (.npz).")],
    out: Annotated[Path, typer.Option(help="Data set to write (.npz).")],
    force: Annotated[bool, typer.Option("--force", help="Replace another file.")] = False,
) -> None:
    """Join the blocks that simulate --block made."""
    from regulome.stochastic import simulate_command

    simulate_command.merge(blocks, out, force)


@app.command()
def infer(
    settings: Annotated[Path, typer.Argument(help="Settings in YAML: network, counts, boxes, likelihood.")],
    out: Annotated[Path, typer.Option(help="Folder for the results: new, empty, or an earlier inference.")],
    threads: Annotated[int | None, typer.Option(help="Threads (default: all cores).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder with other content.")] = False,
) -> None:
    """Infer the parameters of a network from counts in single cells: posterior, predictions, verdict."""
    from regulome.stochastic import infer_command

    infer_command.run(settings, out, threads, force)


app.command()(bind)  # python -m regulome.binding, by another name


@data_app.command("list")
def list_data() -> None:
    """Print every data file: key, size, licence, what is in it and what to cite."""
    from regulome import data

    for key, entry in data.load_registry().items():
        size = f"{entry.bytes / 1e6:.3g} MB" if entry.bytes else f"yours to place, from {entry.page}"
        print(f"{key}  ({size}, {entry.licence})\n    {entry.content}\n    {entry.citation}")


@data_app.command("fetch")
def fetch_data(keys: Annotated[list[str], typer.Argument(help="Keys, as 'regulome data list' prints them.")]) -> None:
    """Fetch data files into the cache and print where they are."""
    from regulome import data

    for key in keys:
        print(data.fetch(key))
