"""What a Hill circuit has to do to count: runs, and conditions on their statistics, written as YAML::

    name: controlled_oscillation
    genes: [g1, g2]
    inputs: [I1, I2]
    start: 0.1           # level of every gene at time 0, or a level a gene: {g1: 0.1, g2: 0.5}
    dt: 0.25             # integration step, in units of the common lifetime of the products
    steps: 200
    watch: 100           # statistics are taken from this sample on (sample k is the state after k + 1 steps)
    runs:
      rest: {I1: 0, I2: 0}                                     # constant inputs
      pulse: [{steps: 100, I1: 0, I2: 0}, {steps: 100, I1: 1, I2: 0}]   # or one phase after the other
    targets:             # optional: what g1 is compared with in a run, with k and t = (k + 1) dt
      pulse: {g1: "0.1 + 0.5 * (k >= 100)"}
    success:             # all have to hold
      - pulse.g1.mean > 4 * rest.g1.mean
      - pulse.g1.error < 0.1

A statistic is RUN.GENE.NAME with NAME one of mean, variance, maximum, minimum, last, largest_slope, smallest_slope
(difference quotients between samples), error (root mean square distance from the target, over all samples).
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from regulome.circuits.hill_kernel import NAMES, Integration, Run
from regulome.circuits.task import sample_times
from regulome.circuits.task_file import finite_number, refuse_unknown
from regulome.errors import UserError, closest
from regulome.expression import Expression
from regulome.yaml_lines import read_yaml

_FIELDS = ("name", "genes", "inputs", "start", "dt", "steps", "watch", "runs", "targets", "success")
_DOTTED = re.compile(r"\b([A-Za-z_]\w*)\.([A-Za-z_]\w*)\.([A-Za-z_]\w*)\b")


@dataclass(frozen=True)
class Condition:
    """One condition: its text, the expression, and the (run, gene, statistic) behind each of its names."""

    text: str
    expression: Expression
    names: dict[str, tuple[str, str, str]]

    @property
    def runs(self) -> list[str]:
        """Runs that the condition needs, in the order in which they occur."""
        return list(dict.fromkeys(run for run, _, _ in self.names.values()))


@dataclass(frozen=True)
class Criterion:
    """Runs and conditions; G genes, I inputs.

    Attributes
    ----------
    runs
        Name to `regulome.circuits.hill_kernel.Run`.
    integration
        Start levels, time step and method of all runs.
    success
        All have to hold.
    """

    name: str
    genes: tuple[str, ...]
    inputs: tuple[str, ...]
    runs: dict[str, Run]
    integration: Integration
    success: tuple[Condition, ...]

    def watched(self, run: str) -> list[int]:
        """Genes whose statistics the conditions ask of a run."""
        asked = {gene for c in self.success for r, gene, _ in c.names.values() if r == run}
        return sorted(self.genes.index(gene) for gene in asked)

    def statistics(self, run: str) -> tuple[str, ...]:
        """Statistics that the conditions ask of a run."""
        asked = [s for c in self.success for r, _, s in c.names.values() if r == run]
        return tuple(dict.fromkeys(asked))

    def with_step(self, dt: float, method: str | None = None) -> "Criterion":
        """The same criterion integrated with another step; times stay, targets are taken at the same times.

        Raises
        ------
        UserError
            If a phase or the start of the watch is no whole number of new steps.
        """
        old = self.integration.dt

        def steps(count: int) -> int:
            new = count * old / dt
            if abs(new - round(new)) > 1e-6 * max(1, new):
                raise UserError(
                    f"criterion '{self.name}': dt {dt:g} does not divide a phase of {count * old:g} units of time"
                )
            return round(new)

        runs = {}
        for name, run in self.runs.items():
            target = run.target
            if target is not None:
                times = (np.arange(steps(run.length)) + 1) * dt
                target = np.interp(times, (np.arange(run.length) + 1) * old, target)
            runs[name] = replace(
                run, steps=np.array([steps(s) for s in run.steps]), watch=steps(run.watch), target=target
            )
        method = self.integration.method if method is None else method
        return replace(self, runs=runs, integration=replace(self.integration, dt=dt, method=method))


def read_criterion(path: str | Path) -> Criterion:
    """Read a criterion from a YAML file (format: see the module).

    Raises
    ------
    UserError
        Naming the file and the field, with what was found and what was expected.
    """
    path = Path(path)
    return criterion_from_dict(read_yaml(path), str(path))


def criterion_from_dict(content: dict, where: str = "criterion") -> Criterion:
    """Build a criterion from the mapping that a YAML file holds."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {type(content).__name__}, expected a mapping with the fields of a criterion")
    refuse_unknown(content, _FIELDS, where)
    for name in ("name", "genes", "inputs", "dt", "steps", "runs", "success"):
        if name not in content:
            raise UserError(f"{where}: field '{name}' is missing")
    genes, inputs = (_names(content[name], f"{where}: {name}") for name in ("genes", "inputs"))
    steps = _whole(content["steps"], f"{where}: steps", 1)
    watch = _whole(content.get("watch", steps // 2), f"{where}: watch", 0)
    if watch >= steps:
        raise UserError(f"{where}: watch is {watch}, expected less than the {steps} steps")
    dt = finite_number(content["dt"], f"{where}: dt")
    if not 0 < dt < 1:
        raise UserError(f"{where}: dt is {dt:g}, expected 0 < dt < 1 (a larger Euler step overshoots the decay)")
    targets = _targets(content.get("targets") or {}, genes, (steps, dt), f"{where}: targets")
    runs = _runs(content["runs"], inputs, (steps, watch), targets, f"{where}: runs")
    conditions = content["success"]
    if not isinstance(conditions, list) or not conditions:
        raise UserError(f"{where}: success: found {conditions!r}, expected a list of conditions")
    success = tuple(_condition(text, genes, runs, f"{where}: success") for text in conditions)
    for condition in success:
        for run, gene, statistic in condition.names.values():
            if statistic == "error" and (run, gene) not in {(r, g) for r, (g, _) in targets.items()}:
                raise UserError(
                    f"{where}: success: '{condition.text}' compares {gene} in run '{run}', which has no target"
                )
    for run, (gene, _) in targets.items():
        others = {g for c in success for r, g, _ in c.names.values() if r == run} - {gene}
        if others:
            raise UserError(
                f"{where}: targets: run '{run}' has a target for {gene}; ask no other gene of it, or add a run"
            )
    integration = Integration(_start(content.get("start", 0.1), genes, f"{where}: start"), dt)
    return Criterion(str(content["name"]), genes, inputs, runs, integration, success)


def _names(values, where: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v.isidentifier() for v in values):
        raise UserError(f"{where}: found {values!r}, expected a list of names (letters, digits, underscores)")
    if len(set(values)) < len(values):
        raise UserError(f"{where}: found {values!r}, expected every name once")
    return tuple(values)


def _whole(value, where: str, low: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UserError(f"{where}: found {value!r}, expected a whole number of at least {low}")
    return value


def _start(value, genes, where: str) -> np.ndarray:
    if not isinstance(value, dict):
        return np.full(len(genes), finite_number(value, where))
    for name in value:
        if name not in genes:
            raise UserError(f"{where}: '{name}' is no gene of the criterion{closest(name, genes)}")
    missing = [gene for gene in genes if gene not in value]
    if missing:
        raise UserError(f"{where}: no level for '{missing[0]}'")
    return np.array([finite_number(value[gene], f"{where}: {gene}") for gene in genes])


def _runs(content, inputs, shape, targets, where: str) -> dict[str, Run]:
    steps, watch = shape
    if not isinstance(content, dict) or not content:
        raise UserError(f"{where}: found {content!r}, expected at least one named run")
    runs = {}
    for name, phases in content.items():
        here = f"{where}: {name}"
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"{where}: found the name {name!r}, expected letters, digits and underscores")
        phases = phases if isinstance(phases, list) else [phases]
        levels, lengths = [], []
        for phase in phases:
            if not isinstance(phase, dict):
                raise UserError(f"{here}: found {phase!r}, expected the level of every input")
            for key in phase:
                if key not in (*inputs, "steps"):
                    raise UserError(f"{here}: '{key}' is no input of the criterion{closest(key, inputs)}")
            missing = [i for i in inputs if i not in phase]
            if missing:
                raise UserError(f"{here}: no level for input '{missing[0]}'")
            levels.append([finite_number(phase[i], f"{here}: {i}") for i in inputs])
            lengths.append(_whole(phase.get("steps", steps), f"{here}: steps", 1))
        if sum(lengths) != steps:
            raise UserError(f"{here}: its phases have {sum(lengths)} steps together, expected {steps}")
        target = targets.get(name, (None, None))[1]
        runs[name] = Run(
            np.array(levels, dtype=float).reshape(len(levels), len(inputs)), np.array(lengths), watch, target
        )
    unknown = [name for name in targets if name not in runs]
    if unknown:
        raise UserError(
            f"{where}: a target names the run '{unknown[0]}', which does not exist{closest(unknown[0], runs)}"
        )
    return runs


def _targets(content, genes, shape, where: str) -> dict[str, tuple[str, np.ndarray]]:
    if not isinstance(content, dict):
        raise UserError(f"{where}: found {content!r}, expected runs with the target of one gene each")
    times = sample_times(*shape)
    targets = {}
    for run, wanted in content.items():
        if not isinstance(wanted, dict) or len(wanted) != 1:
            raise UserError(f"{where}: {run}: found {wanted!r}, expected one gene with its target")
        (gene, text), *_ = wanted.items()
        if gene not in genes:
            raise UserError(f"{where}: {run}: '{gene}' is no gene of the criterion{closest(str(gene), genes)}")
        here = f"{where}: {run}: {gene}"
        curve = np.broadcast_to(Expression(text, times, here)(**times), (shape[0],))
        if not np.isfinite(curve).all():
            raise UserError(
                f"{here}: '{text}' is {curve[~np.isfinite(curve)][0]} at sample {int(np.argmin(np.isfinite(curve)))}"
            )
        targets[str(run)] = (gene, curve.astype(float))
    return targets


def _condition(text, genes, runs, where: str) -> Condition:
    if not isinstance(text, str):
        raise UserError(f"{where}: found {text!r}, expected a condition such as 'rest.{genes[0]}.variance < 0.002'")
    names = {}

    def plain(match: re.Match) -> str:
        for kind, found, known in zip(("run", "gene", "statistic"), match.groups(), (runs, genes, NAMES), strict=True):
            if found not in known:
                raise UserError(f"{where}: '{text}' names no {kind} that exists: '{found}'{closest(found, known)}")
        names["__".join(match.groups())] = match.groups()
        return "__".join(match.groups())

    flat = _DOTTED.sub(plain, text)
    expression = Expression(flat, names, where)
    if not names or not re.search(r"[<>]", text):
        raise UserError(
            f"{where}: '{text}' is no condition on a statistic, expected RUN.GENE.STATISTIC < or > something"
        )
    return Condition(text, expression, names)
