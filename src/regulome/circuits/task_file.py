"""Tasks that a user writes as YAML::

    name: adaptation
    genes: [g1, g2]
    inputs: [I]
    steps: 40            # Euler steps
    dt: 0.2              # in units of the common lifetime of the products
    initial: {g1: 0.4, g2: trainable}
    draw: {s: [0, 1]}    # uniform random numbers, fresh at every training step
    cases:
      rest:   {inputs: {I: 0.1}, targets: {g1: 0.4}, stationary: true}
      full:   {inputs: {I: 1},   targets: {g1: "0.4 + 2 * (exp(-k / 6) - exp(-k / 3))"}}
      random: {inputs: {I: s},   targets: {g1: "0.4 + s * 2 * (exp(-k / 6) - exp(-k / 3))"}}
    forbid: [I -> g2]    # links that must not exist (default: none)
    loss: root_sum       # sqrt of the summed squared errors, or root_mean

In an expression ``k`` is the sample number (0, 1, ...), ``t = (k + 1) dt`` its time. Spatial patterns take their cases
from a table instead, one case a row, whose columns may be used in every expression::

    table: profile.csv
    each:  {inputs: {Bcd: exp(-x / 0.2)}, targets: {hb: hb}, at: [29]}

``at`` lists the samples that are compared; without it, all are.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regulome.circuits.task import RandomCase, Task, finite_curve, link_table, sample_times
from regulome.errors import UserError, closest
from regulome.expression import Expression
from regulome.yaml_lines import read_yaml

_FIELDS = ("name", "genes", "inputs", "steps", "dt", "initial", "draw", "cases", "table", "each", "forbid", "loss")
_CASE_FIELDS = ("inputs", "targets", "stationary", "at")


def read_task(path: str | Path) -> Task:
    """Read a task from a YAML file (format: see the module).

    Raises
    ------
    UserError
        Naming the file and the field, with what was found and what was expected.
    """
    path = Path(path)
    return task_from_dict(read_yaml(path), str(path), path.parent)


def task_from_dict(content: dict, where: str = "task", folder: Path | None = None) -> Task:
    """Build a task from the mapping that a YAML file holds; ``folder`` is where its table lies."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {type(content).__name__}, expected a mapping with the fields of a task")
    refuse_unknown(content, _FIELDS, where)
    for name in ("name", "genes", "steps", "dt"):
        if name not in content:
            raise UserError(f"{where}: field '{name}' is missing")
    genes, inputs = (_names(content.get(name, []), f"{where}: {name}") for name in ("genes", "inputs"))
    steps = content["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise UserError(f"{where}: steps is {steps!r}, expected a whole number of at least 1")
    dt = finite_number(content["dt"], f"{where}: dt")
    draw = _ranges(content.get("draw") or {}, f"{where}: draw")
    cases = _table_cases(content, where, folder) if "table" in content else _named_cases(content, where)

    names, input_values, targets, stationary, random = [], [], [], [], []
    for name, case, columns in cases:
        levels, curves, chance = _fill_case(case, f"{where}: cases: {name}", columns, (genes, inputs, draw, steps, dt))
        if chance:
            random.append(RandomCase(len(names), *chance))
        names.append(name)
        input_values.append(levels)
        targets.append(curves)
        stationary.append(case.get("stationary", False))
        if not isinstance(stationary[-1], bool):
            raise UserError(f"{where}: cases: {name}: stationary: found {stationary[-1]!r}, expected true or false")
    regulators = inputs + genes
    forbid = content.get("forbid") or []
    if not isinstance(forbid, list):
        raise UserError(f"{where}: forbid: found {forbid!r}, expected a list of links 'regulator -> gene'")
    allowed = ~link_table(forbid, regulators, genes, f"{where}: forbid")
    fields = dict(
        name=str(content["name"]),
        genes=genes,
        inputs=inputs,
        dt=dt,
        input_values=np.array(input_values, dtype=float).reshape(len(names), steps, len(inputs)),
        targets=np.array(targets, dtype=float),
        initial=_initial(content.get("initial") or {}, genes, where),
        stationary=np.array(stationary),
        links=allowed,
        case_names=tuple(names),
        loss=content.get("loss", "root_sum"),
        draw=draw,
        random_cases=tuple(random),
    )
    try:
        task = Task(**fields)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    task.realise(np.full((1, len(draw)), 0.5))  # a random case that is not finite is refused here, not in training
    return task


def _fill_case(case: dict, where: str, columns: dict[str, float], shape: tuple):
    """Evaluate one case: (T, I) inputs, (T, G) targets and, if it is random, its expressions."""
    genes, inputs, draw, steps, dt = shape
    times = sample_times(steps, dt)
    variables = set(times) | set(columns) | set(draw)
    expressions = {}
    for kind, known in (("inputs", inputs), ("targets", genes)):
        given = case.get(kind) or {}
        if not isinstance(given, dict):
            raise UserError(f"{where}: {kind}: found {given!r}, expected a mapping from name to number or expression")
        for name in given:
            if name not in known:
                node = "input" if kind == "inputs" else "gene"
                raise UserError(f"{where}: {kind}: '{name}' is no {node} of the task{closest(name, known)}")
        expressions[kind] = {
            name: Expression(text, variables, f"{where}: {kind}: {name}") for name, text in given.items()
        }
    missing = [name for name in inputs if name not in expressions["inputs"]]
    if missing:
        raise UserError(f"{where}: inputs: no level for '{missing[0]}'")
    at = _samples(case.get("at"), steps, where)
    levels, curves = np.zeros((steps, len(inputs))), np.full((steps, len(genes)), np.nan)
    used = set().union(*(e.names for kind in expressions.values() for e in kind.values()))
    if used & set(draw):
        if columns:
            raise UserError(f"{where}: random numbers (draw) cannot be used together with a table")
        return levels, curves, (expressions["inputs"], expressions["targets"], at)
    for name, expression in expressions["inputs"].items():
        levels[:, inputs.index(name)] = finite_curve(expression, expression(**times, **columns), (steps,))
    kept = slice(None) if at is None else list(at)
    for name, expression in expressions["targets"].items():
        curves[kept, genes.index(name)] = finite_curve(expression, expression(**times, **columns), (steps,))[kept]
    return levels, curves, None


def _named_cases(content: dict, where: str):
    cases = content.get("cases")
    if not isinstance(cases, dict) or not cases:
        raise UserError(f"{where}: cases: found {cases!r}, expected at least one named case (or a table)")
    for name, case in cases.items():
        if not isinstance(name, str):  # YAML reads on, off, yes and no as booleans
            raise UserError(f"{where}: cases: found the name {name!r}, expected text; put it in quotes")
        if not isinstance(case, dict):
            raise UserError(f"{where}: cases: {name}: found {case!r}, expected a mapping")
        refuse_unknown(case, _CASE_FIELDS, f"{where}: cases: {name}")
        yield str(name), case, {}


def _table_cases(content: dict, where: str, folder: Path | None):
    from regulome.tables import read_table

    each = content.get("each")
    if not isinstance(each, dict) or "cases" in content:
        raise UserError(f"{where}: a task with a table takes the field 'each' (one mapping) and no 'cases'")
    refuse_unknown(each, _CASE_FIELDS, f"{where}: each")
    path = (folder or Path()) / str(content["table"])
    table: pd.DataFrame = read_table(path)
    _refuse_reserved(table.columns, f"{path}: columns")
    for line, values in enumerate(table.to_dict("records"), start=2):  # the header is line 1 of the file
        yield f"{path.name} row {line}", each, values


def refuse_unknown(content: dict, fields: Sequence[str], where: str) -> None:
    """Raise a `UserError` that starts with ``where`` if a mapping has a field that is not one of ``fields``."""
    for name in content:
        if name not in fields:
            raise UserError(f"{where}: unknown field '{name}'{closest(name, fields)}; known: {', '.join(fields)}")


def _names(values, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UserError(f"{where}: found {values!r}, expected a list of names")
    _refuse_reserved(values, where)
    return tuple(values)


def _refuse_reserved(names, where: str) -> None:
    reserved = [name for name in names if name in ("k", "t")]
    if reserved:
        raise UserError(
            f"{where}: '{reserved[0]}' is the sample number or the time in expressions; choose another name"
        )


def finite_number(value, where: str) -> float:
    """A number as YAML gives it; a `UserError` that starts with ``where`` if it is none."""
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)  # YAML reads 1e-3 as text
        if not np.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{where}: found {value!r}, expected a finite number") from None
    return number


def _ranges(content, where: str) -> dict[str, tuple[float, float]]:
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {content!r}, expected names with [low, high]")
    _refuse_reserved(content, where)
    ranges = {}
    for name, bounds in content.items():
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise UserError(f"{where}: {name}: found {bounds!r}, expected [low, high]")
        ranges[str(name)] = (finite_number(bounds[0], f"{where}: {name}"), finite_number(bounds[1], f"{where}: {name}"))
    return ranges


def _samples(at, steps: int, where: str) -> tuple[int, ...] | None:
    if at is None:
        return None
    values = at if isinstance(at, list) else [at]
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < steps:
            raise UserError(f"{where}: at: found {value!r}, expected sample numbers from 0 to {steps - 1}")
    return tuple(values)


def _initial(content, genes: tuple[str, ...], where: str) -> np.ndarray:
    if not isinstance(content, dict):
        raise UserError(f"{where}: initial: found {content!r}, expected a level or 'trainable' a gene")
    for name in content:
        if name not in genes:
            raise UserError(f"{where}: initial: '{name}' is no gene of the task{closest(name, genes)}")
    values = [content.get(name, 0.0) for name in genes]
    return np.array(
        [
            np.nan if v == "trainable" else finite_number(v, f"{where}: initial: {g}")
            for g, v in zip(genes, values, strict=True)
        ]
    )
