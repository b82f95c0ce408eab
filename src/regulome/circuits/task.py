"""A biological function to train a circuit for: inputs, target curves, initial state and allowed links.

A task is a small frozen object, made in Python or read from YAML (`regulome.circuits.task_file`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

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
        names = sample_times(self.steps, self.dt)
        for column, (variable, (low, high)) in enumerate(self.draw.items()):
            names[variable] = (low + (high - low) * draws[:, column])[:, None]
        for case in self.random_cases:
            for name, expression in case.inputs.items():
                levels = finite_curve(expression, expression(**names), (count, self.steps))
                inputs[:, case.index, :, self.inputs.index(name)] = levels
            kept = slice(None) if case.at is None else list(case.at)
            for name, expression in case.targets.items():
                curve = finite_curve(expression, expression(**names), (count, self.steps))
                targets[:, case.index, kept, self.genes.index(name)] = curve[:, kept]
        return inputs, targets


def sample_times(steps: int, dt: float) -> dict[str, np.ndarray]:
    k = np.arange(steps, dtype=float)
    return {"k": k, "t": (k + 1) * dt}


def finite_curve(expression: Expression, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values in the shape ([R,] T), or a message that names the first sample that is not finite."""
    values = np.broadcast_to(values, shape)
    if not np.isfinite(values).all():
        first = tuple(int(axis[0]) for axis in np.nonzero(~np.isfinite(values)))
        raise UserError(
            f"{expression.where}: '{expression.text}' is {values[first]} at sample k={first[-1]}, "
            "expected a finite number"
        )
    return values


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
