"""A checkout in small: the real Snakefile, package and run_all.sh, with two notebooks of a second each."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

STEPS = """STEPS = {
    "91_first": {
        "about": "Draws a line.", "figures": ["line"], "keeps": ["line.txt"],
        "shards": {"maker": "regulome.toy_maker:make", "count": "pieces", "uses": ["seed"]},
    },
    "92_second": {"about": "Reads the line and makes a table.", "tables": ["table"], "after": ["91_first"]},
}"""

HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""

PARAMETERS = """
# %% tags=["parameters"]
profile: str = "mini"  # mini or paper (one of: mini, paper)
seed: int = 1  # of the random numbers (>= 0)
threads: int = 1  # of linear algebra (>= 1)
points: int = 5  # on the line (>= 2)
pieces: int = 2  # shards made before the step (>= 1)
"""

MAKER = """def make(values, index, file):
    file.write_text(f"{index} of {values['pieces']}, seed {values['seed']}")
"""

FIRST = (
    HEADER
    + """
# %% [markdown]
# # A line
"""
    + PARAMETERS
    + """
# %%
import os
import time

import numpy as np
import pandas as pd
from regulome import figures, paths, shards, toy_first, toy_shared

# %% [markdown]
# ## Drawing

# %%
out = figures.Output("91_first", profile, parameters={"points": points})
rng = np.random.default_rng(seed)
line = pd.DataFrame({"x": np.arange(points), "y": toy_first.SLOPE * toy_shared.scale(rng.random(points))})

# %%
import matplotlib.pyplot as plt

fig, axis = plt.subplots()
axis.plot(line["x"], line["y"])
out.save(fig, line, "line", caption="A line.", section="Drawing")

# %%
time.sleep(float(os.environ.get("TOY_WAIT", "0")))  # between the first output and the last
out.compare("y.mean", "mean", ours=float(line["y"].mean()), published=None, note="nothing to compare with")
kept = paths.build(profile) / "91_first" / "line.txt"
pieces = [file.read_text() for file in shards.files("91_first", profile)]
kept.write_text("; ".join(pieces))
out.close()
"""
)

SECOND = (
    HEADER
    + """
# %% [markdown]
# # A table
"""
    + PARAMETERS
    + """
# %%
import pandas as pd
from regulome import figures, paths, toy_second, toy_shared

# %%
line = pd.read_csv(paths.figures(profile, "91_first") / "line.csv")
kept = (paths.build(profile) / "91_first" / "line.txt").read_text()
out = figures.Output("92_second", profile)
table = pd.DataFrame({"sum": [toy_second.POWER * toy_shared.scale(line["y"].sum())], "pieces": kept})
out.table(table, "table", caption="Sum.", section="A table")
out.close()
"""
)


def make(folder: Path) -> Path:
    """Make the toy checkout in a folder and return it."""
    for name in ("run_all.sh", "requirements.lock", "pyproject.toml", "Snakefile"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "src" / "regulome", folder / "src" / "regulome", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "params").mkdir()
    shutil.copytree(ROOT / "params" / "cluster", folder / "params" / "cluster")
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    table = re.compile(r"^STEPS = \{.*?^\}", re.DOTALL | re.MULTILINE)
    (folder / "Snakefile").write_text(table.sub(lambda _: STEPS, snakefile), encoding="utf-8")
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "registry.yaml", folder / "data")
    (folder / "src/regulome/toy_maker.py").write_text(MAKER, encoding="utf-8")
    (folder / "src/regulome/toy_first.py").write_text("SLOPE = 2.0\n", encoding="utf-8")
    (folder / "src/regulome/toy_second.py").write_text("POWER = 1.0\n", encoding="utf-8")
    (folder / "src/regulome/toy_shared.py").write_text("def scale(x):\n    return 3 * x\n", encoding="utf-8")
    (folder / "notebooks").mkdir()
    for slug, text in (("91_first", FIRST), ("92_second", SECOND)):
        write_notebook(folder, slug, text)
        for profile in ("mini", "paper"):
            set_parameters(folder, slug, profile)
    return folder


def write_notebook(folder: Path, slug: str, text: str) -> None:
    """Write both files of a notebook."""
    import jupytext

    script = folder / "notebooks" / f"{slug}.py"
    script.write_text(text, encoding="utf-8")
    jupytext.write(jupytext.read(script, fmt="py:percent"), script.with_suffix(".ipynb"))


def set_parameters(folder: Path, slug: str, profile: str = "mini", **values) -> None:
    """Write the parameter file of a notebook: its defaults, with some values replaced."""
    content = {"profile": profile, "seed": 1, "threads": 1, "points": 5, "pieces": 2} | values
    path = folder / "params" / profile / f"{slug}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{name}: {value}\n" for name, value in content.items()), encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Environment in which the package of the toy checkout is the one that is imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGULOME_")}
    bin_folder = str(Path(sys.executable).parent)
    return kept | {
        "PYTHONPATH": str(folder / "src"),
        "PATH": bin_folder + os.pathsep + os.environ["PATH"],
        "VIRTUAL_ENV": sys.prefix,
    }


def command(folder: Path, *arguments: str) -> list[str]:
    """The command line of run_all.sh in the toy checkout."""
    return ["bash", str(folder / "run_all.sh"), *arguments]


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run ``run_all.sh`` to its end; standard output and error come back together."""
    return subprocess.run(
        command(folder, *arguments),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def outputs(folder: Path, *patterns: str) -> dict[str, bytes]:
    """Content of the output files of the mini profile."""
    found = [path for pattern in patterns or ("*",) for path in (folder / "figures/mini").rglob(pattern)]
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file() and path.name != "run.json"
    }
