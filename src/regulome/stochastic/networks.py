"""Networks by name or file, and the bounds of their counts.

The examples are the files of ``data/mini/networks``; a network of one's own is read from JSON
(`regulome.stochastic.network_json`) or SBML (`regulome.stochastic.sbml_import`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from regulome import paths
from regulome.errors import UserError, closest
from regulome.stochastic.network import Parameter, StateTransitionNetwork
from regulome.stochastic.network_json import read_file, read_network

SBML = (".xml", ".sbml")


def folder() -> Path:
    """Folder of the example networks."""
    return paths.mini_data() / "networks"


def examples() -> dict[str, str]:
    """Names of the example networks, each with what its file says about it."""
    return {path.stem: read_file(path).about for path in sorted(folder().glob("*.json"))}


def load(path_or_name: str | Path) -> StateTransitionNetwork:
    """Read a network.

    Parameters
    ----------
    path_or_name
        A JSON file, an SBML file (suffix .xml or .sbml) or the name of an example.

    Raises
    ------
    UserError
        If there is no such file or example, or its content is no network.
    """
    path = Path(path_or_name).expanduser()
    if path.suffix.lower() in SBML:
        from regulome.stochastic.sbml_import import read_sbml

        return read_sbml(path)
    if path.suffix.lower() == ".json":
        return read_network(path)
    names = sorted(file.stem for file in folder().glob("*.json"))
    if str(path_or_name) not in names:
        raise UserError(
            f"network '{path_or_name}': expected a .json, .xml or .sbml file, or one of the examples "
            f"{', '.join(names)}{closest(str(path_or_name), names)}"
        )
    return read_network(folder() / f"{path_or_name}.json")


def narrowed(
    network: StateTransitionNetwork, highest: Sequence[float] = (), bounds: Sequence[int] = ()
) -> StateTransitionNetwork:
    """The network with lower upper ends of its box and other bounds of its recorded states; empty keeps them.

    Raises
    ------
    UserError
        If the numbers of values do not fit.
    """
    if len(highest) not in (0, len(network.parameters)) or len(bounds) not in (0, len(network.recorded)):
        raise UserError(
            f"{network.source}: found {len(highest)} upper ends and {len(bounds)} bounds, expected "
            f"{len(network.parameters)} and {len(network.recorded)}, or none"
        )
    if highest:
        new = tuple(Parameter(p.name, p.low, float(h)) for p, h in zip(network.parameters, highest, strict=True))
        network = replace(network, parameters=new)
    return network.with_bounds(**dict(zip(network.recorded, map(int, bounds), strict=True))) if bounds else network


def derive_bounds(network: StateTransitionNetwork, sets: int = 64, seed: int = 0) -> StateTransitionNetwork:
    """Fill in the bounds that a network does not have: mean + 3 sd of each recorded state, largest over the box.

    As published, with the stationary law (or that at ``network.time``) at the middle, at ``sets`` scrambled Sobol
    points of the box; a count that is never reached (a promoter has 0 and 1) is not counted in.

    Parameters
    ----------
    sets
        Number of parameter sets.
    seed
        Of the Sobol points and of the simulations, if there are any.

    Returns
    -------
    StateTransitionNetwork
        With a bound for every recorded state; bounds that were given stay.
    """
    missing = [name for name in network.recorded if name not in network.bounds]
    if not missing:
        return network
    from regulome.stochastic import engine

    middle = network.box.mean(1, keepdims=True).T
    points = np.concatenate([middle, network.sample_box(sets, seed)]) if network.parameters else np.zeros((1, 0))
    largest = dict.fromkeys(missing, 0)
    for i, theta in enumerate(points):
        law = engine.solve(network, theta, seed=seed + i, time=network.time)
        for name in missing:
            column = law.names.index(name)
            reached = int(law.counts[:, column].max())
            usual = int(np.floor(law.mean[column] + 3 * law.sd[column]))
            largest[name] = max(largest[name], min(reached, usual))
    return network.with_bounds(**{name: value + 1 for name, value in largest.items()})
