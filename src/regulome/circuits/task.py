"""A biological function to train a circuit for: inputs, target curves, initial state and allowed links.

A task is a small frozen object. It is made in Python, or read from a YAML file that a user writes::

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
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from regulome.data import UniqueKeyLoader
from regulome.errors import UserError, closest
from regulome.expression import Expression

LOSSES = ("root_sum", "root_mean")


@dataclass(frozen=True)
class RandomCase:
    """A case that depends on random numbers: its row in the arrays and the expressions that fill it."""

    index: int
    inputs: dict[str, Expression]
    targets: dict[str, Expression]
    at: tuple[int, ...] | None


@dataclass(frozen=True)
class Task:
    """Inputs, targets and constraints of one function; C cases, T steps, I inputs, G genes.

    Attributes
    ----------
    genes, inputs
        Names; a regulator is an input or a gene, in the order ``inputs + genes``.
    dt
        Euler step, in units of the common lifetime of the gene products (decay rate 1).
    input_values
        (C, T, I) input levels; row k acts during the update that produces sample k.
    targets
        (C, T, G) target levels; NaN is "not compared". Sample k is the state after k + 1 updates.
    initial
        (G,) or (C, G) initial levels; NaN is "one trainable number, shared by all cases".
    stationary
        (C,) cases whose whole state must stay where it starts (all genes, Shen et al. 2021, public code).
    links
        (I + G, G) True where a link regulator -> target may exist.
    loss
        "root_sum": sqrt of the summed squared errors; "root_mean": sqrt of their mean.
    """

    name: str
    genes: tuple[str, ...]
    inputs: tuple[str, ...]
    dt: float
    input_values: np.ndarray
    targets: np.ndarray
    initial: np.ndarray
    stationary: np.ndarray
    links: np.ndarray
    case_names: tuple[str, ...]
    loss: str = "root_sum"
    draw: dict[str, tuple[float, float]] = field(default_factory=dict)
    random_cases: tuple[RandomCase, ...] = ()

    def __post_init__(self):
        _check_task(self)

    @property
    def regulators(self) -> tuple[str, ...]:
        """Names of the possible regulators: inputs, then genes."""
        return self.inputs + self.genes

    @property
    def steps(self) -> int:
        """Number of Euler steps."""
        return self.targets.shape[1]

    def with_links(self, links: np.ndarray) -> "Task":
        """Return the same task with another (I + G, G) table of allowed links."""
        return replace(self, links=np.asarray(links))

    def forbid(self, *links: str) -> "Task":
        """Return the same task without the named links ("I -> g2")."""
        return replace(self, links=self.links & ~link_table(links, self.regulators, self.genes, f"task '{self.name}'"))

    def realise(self, draws: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Fill in the random cases.

        Parameters
        ----------
        draws
            (R, number of ``draw`` variables) uniform numbers in [0, 1), one row a replicate.

        Returns
        -------
        inputs, targets
            (R, C, T, I) and (R, C, T, G), or a leading 1 when nothing is random.

        Raises
        ------
        UserError
            If a random case is not finite.
        """
        if not self.random_cases:
            return self.input_values[None], self.targets[None]
        draws = np.asarray(draws, dtype=float)
        count = len(draws)
        inputs = np.repeat(self.input_values[None], count, axis=0)
        targets = np.repeat(self.targets[None], count, axis=0)
        names = _sample_times(self.steps, self.dt)
        for column, (variable, (low, high)) in enumerate(self.draw.items()):
            names[variable] = (low + (high - low) * draws[:, column])[:, None]
        for case in self.random_cases:
            for name, expression in case.inputs.items():
                levels = _finite(expression, expression(**names), (count, self.steps))
                inputs[:, case.index, :, self.inputs.index(name)] = levels
            kept = slice(None) if case.at is None else list(case.at)
            for name, expression in case.targets.items():
                curve = _finite(expression, expression(**names), (count, self.steps))
                targets[:, case.index, kept, self.genes.index(name)] = curve[:, kept]
        return inputs, targets


def _sample_times(steps: int, dt: float) -> dict[str, np.ndarray]:
    k = np.arange(steps, dtype=float)
    return {"k": k, "t": (k + 1) * dt}


def _check_task(task: Task) -> None:
    """Refuse shapes, values and names that do not fit together."""
    cases, steps, count = task.targets.shape if task.targets.ndim == 3 else (0, 0, 0)
    n_inputs, n_genes = len(task.inputs), len(task.genes)
    where = f"task '{task.name}'"
    if len(set(task.regulators)) != n_inputs + n_genes:
        raise UserError(f"{where}: genes and inputs must have different names, found {list(task.regulators)}")
    if count != n_genes or not cases or not steps:
        raise UserError(f"{where}: targets have shape {task.targets.shape}, expected (cases, steps, {n_genes} genes)")
    if task.input_values.shape != (cases, steps, n_inputs):
        expected = (cases, steps, n_inputs)
        raise UserError(f"{where}: inputs have shape {task.input_values.shape}, expected {expected}")
    if task.links.shape != (n_inputs + n_genes, n_genes) or task.links.dtype != bool:
        raise UserError(
            f"{where}: links mask has shape {task.links.shape} and type {task.links.dtype}, expected "
            f"({n_inputs + n_genes} regulators, {n_genes} genes) of booleans"
        )
    if task.initial.shape not in ((n_genes,), (cases, n_genes)):
        raise UserError(f"{where}: initial state has shape {task.initial.shape}, expected ({n_genes},)")
    if task.stationary.shape != (cases,) or len(task.case_names) != cases:
        raise UserError(f"{where}: one name and one stationary flag a case are needed, for {cases} cases")
    _check_values(task, where)


def _check_values(task: Task, where: str) -> None:
    if not (np.isfinite(task.dt) and 0 < task.dt < 1):
        raise UserError(f"{where}: dt is {task.dt}, expected 0 < dt < 1 (a larger Euler step overshoots the decay)")
    if task.loss not in LOSSES:
        raise UserError(f"{where}: loss is '{task.loss}', expected one of {', '.join(LOSSES)}")
    random = [case.index for case in task.random_cases]
    fixed = [i for i in range(len(task.case_names)) if i not in random]
    for label, values, names in (("input", task.input_values, task.inputs), ("target", task.targets, task.genes)):
        # NaN in a target means "not compared"; an infinite level never means anything
        bad = np.isinf(values[fixed]) if label == "target" else ~np.isfinite(values[fixed])
        if bad.any():
            case, step, column = (int(axis[0]) for axis in np.nonzero(bad))
            raise UserError(
                f"{where}: {label} '{names[column]}' of case '{task.case_names[fixed[case]]}' is "
                f"{values[fixed][case, step, column]} at sample {step}, expected a finite number"
            )
    if np.isinf(task.initial).any():
        raise UserError(f"{where}: initial state is {task.initial.tolist()}, expected finite levels (NaN: trainable)")
    if np.isnan(task.targets).all() and not any(case.targets for case in task.random_cases):
        raise UserError(f"{where}: no target is compared: every target is missing")


def link_table(links: Sequence[str], regulators: Sequence[str], genes: Sequence[str], where: str) -> np.ndarray:
    """Turn names such as "I -> g2" into an (I + G, G) table of booleans; unknown nodes are refused."""
    table = np.zeros((len(regulators), len(genes)), dtype=bool)
    for text in links:
        parts = [part.strip() for part in str(text).split("->")]
        if len(parts) != 2:
            raise UserError(f"{where}: link '{text}' is not of the form 'regulator -> gene'")
        for part, known in zip(parts, (regulators, genes), strict=True):
            if part not in known:
                kind = "regulator" if known is regulators else "gene"
                raise UserError(f"{where}: link '{text}' names no {kind} of the task: '{part}'{closest(part, known)}")
        table[list(regulators).index(parts[0]), list(genes).index(parts[1])] = True
    return table


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
    try:
        with path.open(encoding="utf-8") as handle:
            content = yaml.load(handle, Loader=UniqueKeyLoader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}: not valid YAML{line} ({getattr(error, 'problem', error)})") from None
    return task_from_dict(content, str(path), path.parent)


def task_from_dict(content: dict, where: str = "task", folder: Path | None = None) -> Task:
    """Build a task from the mapping that a YAML file holds; ``folder`` is where its table lies."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {type(content).__name__}, expected a mapping with the fields of a task")
    _known(content, _FIELDS, where)
    for name in ("name", "genes", "steps", "dt"):
        if name not in content:
            raise UserError(f"{where}: field '{name}' is missing")
    genes, inputs = (_names(content.get(name, []), f"{where}: {name}") for name in ("genes", "inputs"))
    steps = content["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise UserError(f"{where}: steps is {steps!r}, expected a whole number of at least 1")
    dt = _number(content["dt"], f"{where}: dt")
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
    times = _sample_times(steps, dt)
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
        levels[:, inputs.index(name)] = _finite(expression, expression(**times, **columns), (steps,))
    kept = slice(None) if at is None else list(at)
    for name, expression in expressions["targets"].items():
        curves[kept, genes.index(name)] = _finite(expression, expression(**times, **columns), (steps,))[kept]
    return levels, curves, None


def _finite(expression: Expression, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values in the shape ([R,] T), or a message that names the first sample that is not finite."""
    values = np.broadcast_to(values, shape)
    if not np.isfinite(values).all():
        first = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(values)))
        raise UserError(
            f"{expression.where}: '{expression.text}' is {values[first]} at sample k={first[-1]}, "
            "expected a finite number"
        )
    return values


def _named_cases(content: dict, where: str):
    cases = content.get("cases")
    if not isinstance(cases, dict) or not cases:
        raise UserError(f"{where}: cases: found {cases!r}, expected at least one named case (or a table)")
    for name, case in cases.items():
        if not isinstance(name, str):  # YAML reads on, off, yes and no as booleans
            raise UserError(f"{where}: cases: found the name {name!r}, expected text; put it in quotes")
        if not isinstance(case, dict):
            raise UserError(f"{where}: cases: {name}: found {case!r}, expected a mapping")
        _known(case, _CASE_FIELDS, f"{where}: cases: {name}")
        yield str(name), case, {}


def _table_cases(content: dict, where: str, folder: Path | None):
    from regulome.tables import read_table

    each = content.get("each")
    if not isinstance(each, dict) or "cases" in content:
        raise UserError(f"{where}: a task with a table takes the field 'each' (one mapping) and no 'cases'")
    _known(each, _CASE_FIELDS, f"{where}: each")
    path = (folder or Path()) / str(content["table"])
    table: pd.DataFrame = read_table(path)
    _refuse_reserved(table.columns, f"{path}: columns")
    for line, values in enumerate(table.to_dict("records"), start=2):  # the header is line 1 of the file
        yield f"{path.name} row {line}", each, values


def _known(content: dict, fields: Sequence[str], where: str) -> None:
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


def _number(value, where: str) -> float:
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
        ranges[str(name)] = (_number(bounds[0], f"{where}: {name}"), _number(bounds[1], f"{where}: {name}"))
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
            np.nan if v == "trainable" else _number(v, f"{where}: initial: {g}")
            for g, v in zip(genes, values, strict=True)
        ]
    )
