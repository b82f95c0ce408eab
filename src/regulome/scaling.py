"""How cost grows with cells, genes, RNAs, proteins, parameter sets and replicates: ``python -m regulome.scaling``.

The core step of each part runs at a few sizes of one dimension, in one thread and in a process of its own
(`regulome.scaling_cases` has the list). From seconds t and size n follows the exponent of a power law,

    t = a n^b,    log t = log a + b log n    (least squares).

Beside it stands the order of the algorithm, from its loops. An exponent fitted over a factor of 16 says little about a
factor of 100,000, so that sizes beyond the largest measured are extrapolated from that one with the order,
t(N) = t(n) (N / n)^order: the published size, where it is larger, and a thousand times the published size.

Times are processor times, so that a busy machine changes them little; memory is what the process gained over its size
before the step.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from regulome.errors import UserError, as_message, closest
from regulome.scaling_cases import CASES, Case
from regulome.tables import csv_bytes, write_csv

FACTOR = 1000.0  # how much larger the large problem is
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
COMMAND = ["-m", "regulome.scaling", "--as-json", "--only"]  # and the name of a case
SHORTEST = 0.2  # seconds that a measurement lasts at least, by repetition


@dataclass(frozen=True)
class PowerLaw:
    """A fit of t = a n^b.

    Attributes
    ----------
    factor, exponent
        a and b.
    error
        Standard error of the exponent from the scatter about the line; NaN for two points.
    """

    factor: float
    exponent: float
    error: float

    def at(self, size: float) -> float:
        """Cost at a size."""
        return self.factor * size**self.exponent


def fit(sizes: Sequence[float], costs: Sequence[float]) -> PowerLaw:
    """Least squares of log cost on log size.

    Parameters
    ----------
    sizes, costs
        (N,) positive numbers; at least two different sizes.

    Raises
    ------
    UserError
        If they cannot be fitted.
    """
    x, y = np.asarray(sizes, float), np.asarray(costs, float)
    if x.shape != y.shape or len(np.unique(x)) < 2:
        raise UserError(f"scaling: found {len(x)} sizes and {len(y)} costs; expected as many, of two sizes or more")
    if not ((x > 0).all() and (y > 0).all() and np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError(f"scaling: found sizes {x.tolist()}, costs {y.tolist()}; expected positive numbers")
    x, y = np.log(x), np.log(y)
    centred = x - x.mean()
    exponent = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - exponent * centred
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / (centred @ centred))) if len(x) > 2 else float("nan")
    return PowerLaw(float(np.exp(y.mean() - exponent * x.mean())), exponent, error)


def measure(case: Case) -> pd.DataFrame:
    """Run a case at all of its sizes, in this process.

    Returns
    -------
    DataFrame
        part, step, dimension, size, seconds (processor time, the least of the repetitions), memory_mb (largest size of
        the process so far, less its size before the step at the smallest size).
    """
    rows = []
    case.make(case.sizes[0])()  # compilation and first allocations are not counted
    before = _resident()
    for size in case.sizes:
        run = case.make(size)
        spent: list[float] = []
        while not spent or (sum(spent) < SHORTEST and len(spent) < 5):
            start = time.process_time()
            run()
            spent.append(time.process_time() - start)
        del run  # before the next size is made
        gained = max(_largest() - before, 0.0)
        rows.append((case.part, case.step, case.dimension, size, min(spent), gained))
    return pd.DataFrame(rows, columns=["part", "step", "dimension", "size", "seconds", "memory_mb"])


def measure_apart(name: str) -> pd.DataFrame:
    """`measure` in a process of its own, in one thread.

    Raises
    ------
    UserError
        If that process fails; the message has its last line.
    """
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    done = subprocess.run([sys.executable, *COMMAND, name], capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"scaling: {name} failed: {last}")
    return pd.DataFrame(json.loads(done.stdout.splitlines()[-1]))


def summary(measured: pd.DataFrame, cases: dict[str, Case]) -> pd.DataFrame:
    """The exponent of each case, and what the published size and a thousand times that size cost.

    Parameters
    ----------
    measured
        Rows of `measure`, of all cases.

    Returns
    -------
    DataFrame
        part, step, dimension; exponent with its standard error, and order; published (size) and runs (how many of
        these steps the published run takes); core_hours_published and core_hours_1000x = runs x t / 3600 at that size
        and at 1000 times it; memory_gb_1000x, the array that fills memory then, and ``array``, what it is.
    """
    rows = []
    for case in cases.values():
        mine = measured[(measured["step"] == case.step) & (measured["dimension"] == case.dimension)]
        law = fit(mine["size"], mine["seconds"])
        large = FACTOR * case.published
        rows.append(
            {
                "part": case.part,
                "step": case.step,
                "dimension": case.dimension,
                "exponent": law.exponent,
                "error": law.error,
                "order": case.order,
                "published": case.published,
                "runs": case.runs,
                "core_hours_published": case.runs * _seconds(mine, case, case.published) / 3600,
                "core_hours_1000x": case.runs * _seconds(mine, case, large) / 3600,
                "memory_gb_1000x": case.bytes(large) / 1e9,
                "array": case.array,
            }
        )
    return pd.DataFrame(rows)


def _seconds(rows: pd.DataFrame, case: Case, size: float) -> float:
    """Seconds at a size: by the fit up to the largest one measured, by the order beyond, and then by a limit."""
    last = rows.iloc[-1]
    if size <= last["size"]:
        return fit(rows["size"], rows["seconds"]).at(size)
    near = min(size, max(case.linear_beyond, last["size"]))
    return float(last["seconds"] * (near / last["size"]) ** case.order * (size / near))


def _resident() -> float:
    """Size of this process, MB."""
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * resource.getpagesize() / 1e6


def _largest() -> float:
    """Largest size of this process so far, MB; getrusage would count the size of the process that started it."""
    with open("/proc/self/status") as handle:
        kibibytes = next(line for line in handle if line.startswith("VmHWM:")).split()[1]
    return int(kibibytes) * 1024 / 1e6


def main(
    only: Annotated[list[str] | None, typer.Option(help="Cases, by name (default: all).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for scaling.csv and scaling_summary.csv.")] = None,
    as_json: Annotated[bool, typer.Option("--as-json", hidden=True)] = False,
    names: Annotated[bool, typer.Option("--names", help="Print the names of the cases and end.")] = False,
) -> None:
    """Print two tables as CSV, seconds and memory by size and what follows from them; some minutes."""
    chosen = only or list(CASES)
    for name in chosen:
        if name not in CASES:
            raise UserError(f"--only: no case '{name}'{closest(name, CASES)}; expected {', '.join(CASES)}")
    if names:
        print("\n".join(CASES))
    elif as_json:
        print(measure(CASES[chosen[0]]).to_json(orient="records"))
    else:
        _run(chosen, out)


def _run(chosen: list[str], out: Path | None) -> None:
    parts = []
    for number, name in enumerate(chosen, 1):
        print(f"{number}/{len(chosen)} {name}", file=sys.stderr)
        parts.append(measure_apart(name))
    measured = pd.concat(parts, ignore_index=True)
    found = summary(measured, {name: CASES[name] for name in chosen})
    if out is None:
        print(csv_bytes(measured, digits=3).decode())
        print(csv_bytes(found, digits=3).decode(), end="")
    else:
        write_csv(measured, out / "scaling.csv", digits=3)
        write_csv(found, out / "scaling_summary.csv", digits=3)


if __name__ == "__main__":
    with as_message():
        typer.run(main)
