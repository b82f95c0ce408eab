"""Settings of an inference, as a user writes them in YAML::

    network: telegraph           # name of an example, or a JSON or SBML file
    parameters:                  # boxes; in SBML this says what is inferred, elsewhere it replaces boxes
      kon: [0.1, 10]
      koff: [0.1, 10]
      ksyn: [1, 200]
    fixed: {kdeg: 1.0}           # parameters with a known value: here the unit of time
    counts: cells.csv            # a row a cell; header with species, or one column without header
    columns: {mRNA: GAL10}       # column of each observed species (default: columns of the same name)
    zero_truncated: false        # true where cells without any molecule are missing from the file
    likelihood: auto             # exact, solver, or auto: exact where the state space is small
    checkpoint: solver.pt        # for likelihood: solver
    reference: kdeg              # rate to which ratios are taken (default: a degradation)
    prior: linear                # uniform in the parameters, or log: uniform in their logarithms
    seed: 1
    steps: 150                   # steps of each walker

Paths are relative to the file. Only ``network`` and ``counts`` are needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from regulome.errors import UserError, closest
from regulome.stochastic import networks
from regulome.stochastic.network import Parameter, StateTransitionNetwork
from regulome.stochastic.prior import SCALES
from regulome.yaml_lines import read_yaml

LIKELIHOODS = ("auto", "exact", "solver")
_NUMBERS = {"seed": 0, "chains": 2, "steps": 10, "burn_in": 0, "starts": 1, "screened": 1}


@dataclass(frozen=True)
class InferSettings:
    """Checked settings; the fields are those of the file, see the module."""

    source: str
    network: str
    counts: Path
    parameters: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    columns: dict | None = None
    above_bound: str = "refuse"
    zero_truncated: bool = False
    likelihood: str = "auto"
    checkpoint: Path | None = None
    time: float | None = None
    reference: str | None = None
    prior: str = "linear"
    seed: int = 1
    chains: int = 4
    steps: int = 150
    burn_in: int = 40
    starts: int = 8
    screened: int = 256


def read_settings(path: str | Path) -> InferSettings:
    """Read and check settings.

    Raises
    ------
    UserError
        Naming the file and the field, with what was found and what was expected.
    """
    path = Path(path)
    content = read_yaml(path)
    known = [f.name for f in fields(InferSettings) if f.name != "source"]
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}, expected the fields {', '.join(known)}")
    for name in content:
        if name not in known:
            raise UserError(f"{path}: unknown field '{name}'{closest(str(name), known)}; expected {', '.join(known)}")
    for name in ("network", "counts"):
        if not isinstance(content.get(name), str):
            raise UserError(f"{path}: {name}: found {content.get(name)!r}, expected a file or a name")
    for name, least in _NUMBERS.items():
        value = content.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"{path}: {name}: found {value!r}, expected a whole number of at least {least}")
    for name, choices in (("likelihood", LIKELIHOODS), ("prior", SCALES), ("above_bound", ("refuse", "clip"))):
        if content.get(name, choices[0]) not in choices:
            raise UserError(f"{path}: {name}: found {content[name]!r}, expected {', '.join(choices)}")
    if not isinstance(content.get("zero_truncated", False), bool):
        raise UserError(f"{path}: zero_truncated: found {content['zero_truncated']!r}, expected true or false")
    if not (content.get("time") is None or (_is_number(content["time"]) and content["time"] > 0)):
        raise UserError(
            f"{path}: time: found {content['time']!r}, expected a positive number; leave it out if stationary"
        )
    if not isinstance(content.get("reference") or "", str):
        raise UserError(f"{path}: reference: found {content['reference']!r}, expected a parameter")
    for name in ("parameters", "fixed", "columns"):
        if not isinstance(content.get(name) or {}, dict):
            raise UserError(f"{path}: {name}: found {content[name]!r}, expected a mapping")
    if content.get("likelihood") == "solver" and not isinstance(content.get("checkpoint"), str):
        raise UserError(f"{path}: checkpoint: found {content.get('checkpoint')!r}, expected the file of a solver")
    values = content | {"counts": path.parent / content["counts"]}
    for name in ("parameters", "fixed"):
        values[name] = dict(content.get(name) or {})
    if content.get("columns") is not None:
        values["columns"] = {str(k): str(v) for k, v in content["columns"].items()}
    if content.get("checkpoint"):
        values["checkpoint"] = path.parent / content["checkpoint"]
    return InferSettings(source=str(path), **values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_network(settings: InferSettings) -> StateTransitionNetwork:
    """The network of the settings, with its boxes and fixed parameters.

    Raises
    ------
    UserError
        If there is no such network or parameter, a box is no pair of numbers, or nothing is left to infer.
    """
    boxes = {name: _box(settings.source, name, box) for name, box in settings.parameters.items()}
    for name, value in settings.fixed.items():
        if not _is_number(value):
            raise UserError(f"{settings.source}: fixed: {name}: found {value!r}, expected a number")
        if name in boxes:
            raise UserError(f"{settings.source}: '{name}' is in parameters and in fixed, expected one of them")
    place = Path(settings.source).parent / settings.network
    file = place if Path(settings.network).suffix else settings.network
    if place.suffix.lower() in networks.SBML:
        from regulome.stochastic.sbml_import import read_sbml

        if not boxes:
            raise UserError(f"{settings.source}: parameters: found none, expected those of {place} that are inferred")
        known = read_sbml(place).constants
        _known_names(settings.source, "parameters", boxes, known)
        network = read_sbml(place, parameters=boxes)
        _known_names(settings.source, "fixed", settings.fixed, network.constants)
        return replace(network, constants={**network.constants, **settings.fixed})
    network = networks.load(file)
    _known_names(settings.source, "parameters", boxes, network.parameter_names)
    _known_names(settings.source, "fixed", settings.fixed, network.parameter_names)
    left = tuple(
        Parameter(p.name, *boxes.get(p.name, (p.low, p.high)))
        for p in network.parameters
        if p.name not in settings.fixed
    )
    if not left:
        raise UserError(f"{settings.source}: every parameter has a fixed value, expected one or more to infer")
    fixed = {name: float(value) for name, value in settings.fixed.items()}
    return replace(network, parameters=left, constants={**network.constants, **fixed})


def _known_names(source: str, group: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise UserError(
                f"{source}: {group}: unknown parameter '{name}'{closest(name, known)}; expected {', '.join(known)}"
            )


def _box(source: str, name: str, box: object) -> tuple[float, float]:
    if not isinstance(box, list) or len(box) != 2 or not all(_is_number(v) for v in box) or not box[0] < box[1]:
        raise UserError(f"{source}: parameters: {name}: found {box!r}, expected [LOW, HIGH], the lower bound first")
    return float(box[0]), float(box[1])
