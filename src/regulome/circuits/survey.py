"""The command ``regulome enumerate``: every topology against a criterion of the user's own.

Writes topologies.csv (a row a topology: name, its links in words, successful sets and their share), circuits.csv (the
first successful parameter set of each topology), summary.md and enumeration.json.
"""

import hashlib
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from tqdm import tqdm

from regulome import __version__
from regulome.circuits.codes import encode, in_words
from regulome.circuits.criteria import Criterion, read_criterion
from regulome.circuits.enumeration import Enumeration, enumerate_topologies
from regulome.circuits.hill import topologies
from regulome.circuits.hill_kernel import draw
from regulome.circuits.mutation import link_names
from regulome.command_folder import as_json, check_folder, place
from regulome.errors import UserError
from regulome.progress import duration
from regulome.tables import csv_bytes

MANIFEST = "enumeration.json"
MOST_LINKS = 12  # 3^12 topologies; two genes and two inputs have 8 links, three genes and one input 12
_SHOWN = 10


@dataclass(frozen=True)
class SurveySettings:
    """How to enumerate: parameter sets a topology, seed, and "converged" or the criterion's own "euler" map."""

    sets: int = 20_000
    seed: int = 2021
    method: str = "converged"

    def __post_init__(self):
        if not 1 <= self.sets <= 2**31:
            raise UserError(f"--sets is {self.sets}, expected 1 to {2**31}")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"--seed is {self.seed}, expected 0 to {2**32 - 1}")
        if self.method not in ("converged", "euler"):
            raise UserError(f"--method is '{self.method}', expected converged or euler")


def run(file: Path, out: Path, settings: SurveySettings, threads: int | None, force: bool) -> Enumeration:
    """Enumerate all topologies of the genes and inputs that a criterion names, and write the folder.

    Raises
    ------
    UserError
        If the criterion, an option or the folder is no good, or there are too many topologies: nothing is written.
    """
    criterion = read_criterion(file)
    if threads is not None and threads < 1:
        raise UserError(f"--threads is {threads}, expected at least 1")
    links = len(criterion.genes) * (len(criterion.genes) + len(criterion.inputs))
    if links > MOST_LINKS:
        raise UserError(
            f"{file}: {len(criterion.genes)} genes and {len(criterion.inputs)} inputs have {links} links and 3^{links} "
            f"topologies, expected at most {MOST_LINKS} links"
        )
    check_folder(out, MANIFEST, force)
    if settings.method == "converged":
        criterion = criterion.with_step(criterion.integration.dt / 2, "rk4")
    signs = topologies(len(criterion.inputs), len(criterion.genes))
    began = time.monotonic()
    with tqdm(total=len(signs), unit=" topologies", disable=not sys.stderr.isatty()) as bar:
        found = enumerate_topologies(
            signs, criterion, settings.sets, settings.seed, threads or os.cpu_count() or 1,
            progress=lambda done, total: bar.update(done - bar.n),
        )  # fmt: skip
    table = topology_table(found, criterion)
    content = {
        "topologies.csv": csv_bytes(table),
        "circuits.csv": csv_bytes(circuit_table(found, criterion)),
        "summary.md": summary(found, criterion, table, settings).encode(),
    }
    content[MANIFEST] = as_json(
        {
            "made_by": f"regulome {__version__}, command enumerate",
            "criterion": {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
            "settings": settings.__dict__,
            "files": sorted([*content, MANIFEST]),
        }
    )
    place(content, out, MANIFEST)
    print(f"{int((found.hits > 0).sum())} of {len(signs)} topologies meet '{criterion.name}'")
    print(f"{out / 'summary.md'} (in {duration(time.monotonic() - began)})")
    return found


def _names(criterion: Criterion) -> list[str]:
    return link_names((*criterion.inputs, *criterion.genes), criterion.genes)


def topology_table(found: Enumeration, criterion: Criterion) -> pd.DataFrame:
    """One row a topology, most successful first: name, links, links in words, sets, share with 95 % interval."""
    regulators = (*criterion.inputs, *criterion.genes)
    intervals = {
        int(h): binomtest(int(h), found.sets).proportion_ci(method="wilson") for h in np.unique(found.hits)
    }  # fmt: skip
    table = pd.DataFrame(
        {
            "topology": encode(found.signs),
            "links": (found.signs != 0).sum((1, 2)),
            "in_words": [in_words(signs, regulators, criterion.genes) for signs in found.signs],
            "sets": found.hits,
            "share": found.hits / found.sets,
            "low": [intervals[int(h)].low for h in found.hits],
            "high": [intervals[int(h)].high for h in found.hits],
        }
    )
    return table.sort_values(["sets", "links", "topology"], ascending=[False, True, True], ignore_index=True)


def circuit_table(found: Enumeration, criterion: Criterion) -> pd.DataFrame:
    """First successful parameter set of each topology: a row a link with its sign, b (activators) and K."""
    names, rows = _names(criterion), []
    for code, signs, sets in zip(encode(found.signs), found.signs, found.winners, strict=True):
        if len(sets):
            b, k = (p[0].reshape(-1) for p in draw(signs, found.seed, sets[:1]))
            for name, sign, rate, constant in zip(names, signs.reshape(-1), b, k, strict=True):
                if sign:
                    rows.append((code, int(sets[0]), name, int(sign), rate if sign > 0 else math.nan, constant))
    return pd.DataFrame(rows, columns=["topology", "set", "link", "sign", "b", "K"])


def summary(found: Enumeration, criterion: Criterion, table: pd.DataFrame, settings: SurveySettings) -> str:
    """The result in words, as Markdown."""
    how = "converged (Runge-Kutta)" if settings.method == "converged" else f"Euler with dt {criterion.integration.dt:g}"
    passing = table[table["sets"] > 0]
    lines = [
        f"# {criterion.name}",
        "",
        f"{len(passing)} of {len(table)} topologies meet all conditions with one of {found.sets} random parameter sets "
        f"or more; {int(found.hits.sum())} sets in all. Integration: {how}.",
        "",
        "| condition | sets left |",
        "|---|---:|",
        *(f"| {c.text} | {n} |" for c, n in zip(criterion.success, found.passed.sum(0), strict=True)),
        "",
        "| topology | links | sets | share (95 %) |",
        "|---|---|---:|---|",
        *(
            f"| `{row.topology}` | {row.in_words} | {row.sets} | {row.share:.2%} ({row.low:.2%} to {row.high:.2%}) |"
            for row in passing.head(_SHOWN).itertuples()
        ),
    ]
    return "\n".join(lines) + "\n"
