"""The folder that a design leaves: tables, the circuit in four formats, the figure and the verdict in words.

The folder appears at the end: everything is made in memory, written beside it, and moved in file by file, the list of
files (design.json) last. A folder with other content is refused before anything is computed.
"""

import hashlib
import io
import tempfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from regulome import __version__
from regulome.circuits.codes import encode
from regulome.circuits.design import ACCEPTED, KEPT, Design
from regulome.circuits.sbml import to_sbml
from regulome.command_folder import as_json, check_folder, place
from regulome.network_graph import signed_graph
from regulome.tables import csv_bytes

MANIFEST = "design.json"
FRAGILE = 0.25  # share of parameter sets that keep the function


def check(folder: Path, force: bool = False) -> None:
    """Refuse a folder that holds anything but an earlier design (`regulome.command_folder.check_folder`)."""
    check_folder(folder, MANIFEST, force)


def write(result: Design, task_file: Path, folder: Path) -> None:
    """Write all files of a design; earlier ones of the same folder are replaced."""
    content = {"summary.md": summary(result).encode()}
    content |= {"topologies.csv": csv_bytes(result.topologies), "candidates.csv": csv_bytes(result.candidates)}
    content |= {"cases.csv": csv_bytes(case_table(result)), "circuit.json": as_json(circuit_dict(result))}
    content |= {"circuit.xml": circuit_sbml(result).encode(), "circuit.graphml": _graphml(circuit_graph(result))}
    content |= _figure(result)
    digest = hashlib.sha256(task_file.read_bytes()).hexdigest()
    content[MANIFEST] = as_json(
        {
            "made_by": f"regulome {__version__}, command design",
            "task": {"file": task_file.name, "sha256": digest},
            "settings": asdict(result.settings),
            "validated": result.validated,
            "files": sorted([*content, MANIFEST]),
        }
    )
    place(content, folder, MANIFEST)


def _figure(result: Design) -> dict[str, bytes]:
    import matplotlib.pyplot as plt

    from regulome.circuits.plots_design import design_figure
    from regulome.figures import save
    from regulome.style import style

    style()
    fig, table = design_figure(result)
    with tempfile.TemporaryDirectory() as temporary:
        files = save(fig, table, "design", temporary)
        plt.close(fig)
        return {file.name: file.read_bytes() for file in files}


def _graphml(graph: nx.DiGraph) -> bytes:
    buffer = io.BytesIO()
    nx.write_graphml_xml(graph, buffer)
    return buffer.getvalue() + b"\n"


def circuit_graph(result: Design) -> nx.DiGraph:
    """The circuit as a signed network; links have b (activators) and K."""
    circuit, task = result.circuit, result.task
    graph = signed_graph(circuit.signs[0], task.regulators, task.genes)
    for regulator, gene, attributes in graph.edges(data=True):
        i, j = task.regulators.index(regulator), task.genes.index(gene)
        attributes["K"] = float(circuit.k[0, i, j])
        if attributes["sign"] > 0:
            attributes["b"] = float(circuit.b[0, i, j])
        del attributes["value"]
    return graph


def circuit_dict(result: Design) -> dict:
    """The circuit with its parameters, initial levels and equations in words."""
    circuit, task = result.circuit, result.task
    links = []
    for i, j in np.argwhere(circuit.signs[0] != 0):
        sign = int(circuit.signs[0, i, j])
        link = {"regulator": task.regulators[i], "target": task.genes[j], "sign": sign}
        link |= {"b": float(circuit.b[0, i, j])} if sign > 0 else {}
        links.append(link | {"K": float(circuit.k[0, i, j])})
    start = result.bench.start(circuit)[0]
    return {
        "task": task.name,
        "topology": encode(circuit.signs)[0],
        "inputs": list(task.inputs),
        "genes": list(task.genes),
        "links": links,
        "initial": {
            name: {gene: float(level) for gene, level in zip(task.genes, row, strict=True)}
            for name, row in zip(result.bench.names, start, strict=True)
        },
        "model": "dg/dt = (sum over activators of b x^2 / (K^2 + x^2)) "
        "* (product over inhibitors of K^2 / (K^2 + x^2)) - g",
        "time_unit": "lifetime of the gene products",
        "r2": result.exact,
        "validated": result.validated,
    }


def circuit_sbml(result: Design) -> str:
    """The circuit as SBML, with the cases of the task."""
    circuit, task, layout = result.circuit, result.task, result.bench
    return to_sbml(
        circuit.signs[0], circuit.b[0], circuit.k[0], layout.start(circuit)[0], task.inputs, task.genes,
        layout.inputs, task.dt, layout.names, task.name,
    )  # fmt: skip


def case_table(result: Design) -> pd.DataFrame:
    """Input levels of every case, one row a stretch of time in which they do not change."""
    task, rows = result.task, []
    for c, (name, table) in enumerate(zip(result.bench.names, result.bench.inputs, strict=True)):
        edges = [0, *(1 + np.flatnonzero((table[1:] != table[:-1]).any(1))), task.steps]
        for begin, end in pairwise(edges):
            row = {"case": c, "name": name, "from": begin * task.dt, "to": end * task.dt}
            rows.append(row | dict(zip(task.inputs, table[begin], strict=True)))
    return pd.DataFrame(rows)


def verdict(result: Design) -> str:
    """One sentence: validated or not, and how far off."""
    head = "Validated" if result.validated else "NOT validated"
    compare = "at least" if result.validated else "below"
    return f"{head}: the Hill circuit explains R² = {result.exact:.3f} of the target ({compare} {ACCEPTED:g})."


def summary(result: Design) -> str:
    """The result in words, as Markdown."""
    task, found = result.task, result.topologies
    good, total = int((result.learned >= KEPT).sum()), len(result.learned)
    kept = result.robust >= KEPT
    chosen = result.candidates[result.candidates["chosen"]].iloc[0]
    top = found.iloc[0]
    random = result.random[np.isfinite(result.random)]
    rows = [
        ("Hill circuit, exact integration", f"{result.exact:.3f}"),
        ("best trained network", f"{result.learned.max():.3f}"),
        ("median trained network", f"{np.median(result.learned):.3f}"),
        (
            f"best of {len(result.random)} random topologies with {chosen.links} links, fitted alike",
            _number(random, np.max),
        ),
        ("median of these", _number(random, np.median)),
        ("constant output (mean of the targets)", "0"),
    ]
    lines = [
        f"# {task.name}",
        "",
        verdict(result),
        "",
        f"**Circuit** ({chosen.links} links, {chosen.origin}): {chosen.in_words}",
        "",
        "| R², share of the target explained | |",
        "|---|---|",
        *(f"| {label} | {value} |" for label, value in rows),
        "",
        f"* Networks: {good} of {total} learned the task (R² of at least {KEPT:g}); {len(found)} different topologies, "
        f"the first in `topologies.csv` in {top.networks} of {total} ({top.low:.0%} to {top.high:.0%}).",
        f"* Robustness: {kept.mean():.0%} of {len(kept)} parameter sets within about 20 % keep the function (R² of at "
        f"least {KEPT:g}); their median R² is {np.median(result.robust):.3f}.",
        f"* Time step: Euler with the task's dt differs from the exact curve by {result.euler_error:.2g} at most; the "
        f"exact curve changes by {result.step_change:.1g} when its step is doubled.",
    ]
    if result.validated and kept.mean() < FRAGILE:
        lines.append("* Fragile: most circuits with slightly other parameters do something else.")
    if not good:
        lines.append("* No network learned the task, so the topologies say little: train longer, or ease the targets.")
    if len(random) and random.max() >= result.exact - 0.01:
        lines.append("* A random topology of the same size does as well: the topology is not special to this task.")
    return "\n".join(lines) + "\n"


def _number(values: np.ndarray, reduce) -> str:
    return f"{reduce(values):.3f}" if len(values) else "none"
