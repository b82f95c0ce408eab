"""Ground-truth automata: Hill circuits on a ring of cells, with known links.

Every cell of a ring holds G genes that are regulated by the mean of the two neighbours, h, and by the cell's own genes,
g: 2 G regulators (neighbour means first), as in Fig. 6 of Shen et al. (2021). Production is that of
`regulome.circuits.hill` with Hill coefficient 2, and dg/dt = f - g. Letters: M automata, I initial conditions, G genes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from regulome import data, paths
from regulome.circuits.hill import hill_rates
from regulome.errors import UserError
from regulome.tables import read_table

PUBLISHED = "ca_ground_truth_models"
GENES = 10  # of the published automata


@dataclass(frozen=True)
class HillAutomata:
    """M automata.

    Attributes
    ----------
    signs
        (M, 2 G, G) -1 inhibition, 0 no link, 1 activation; regulators in rows, neighbour means first.
    b, k
        (M, 2 G, G) maximal rate (activators only) and Michaelis constant of each link.
    """

    signs: np.ndarray
    b: np.ndarray
    k: np.ndarray

    def __len__(self) -> int:
        return len(self.signs)

    @property
    def n_genes(self) -> int:
        """Number of genes G."""
        return self.signs.shape[2]

    def select(self, index) -> "HillAutomata":
        """Return the automata at ``index`` (list, booleans or slice)."""
        return HillAutomata(self.signs[index], self.b[index], self.k[index])

    def rescaled(self, unit: np.ndarray) -> "HillAutomata":
        """Return the same automata with the level of each gene measured in ``unit`` (M, G)."""
        regulators = np.concatenate([unit, unit], axis=1)[:, :, None]
        return replace(self, b=self.b / unit[:, None], k=self.k / regulators)

    def rates(self, regulators: np.ndarray) -> np.ndarray:
        """(M, S, G) production rates at states ``regulators`` (M, S, 2 G)."""
        rows = zip(regulators, self.signs, self.b, self.k, strict=True)
        return np.stack([hill_rates(x, signs, b[None], k[None]) for x, signs, b, k in rows])


def read_automata(source: str, mirror: str = "") -> HillAutomata:
    """Read ground-truth automata.

    Parameters
    ----------
    source
        "mini" (two small automata of this project), "ca_ground_truth_models" (the 25 published ones; rows 17 and 18,
        and rows 24 and 25, share their links, so that they hold 23 topologies), or the path of a CSV with columns
        automaton, regulator, target, sign, b, k. Regulators and targets are numbers from 0; regulators 0 to G - 1 are
        neighbour means, G to 2 G - 1 the cell's own genes. Pairs that are not listed are absent links.
    mirror
        Folder that stands in for downloads (empty: REGULOME_MIRROR, else download).

    Raises
    ------
    UserError
        If a file is missing, corrupted, or a number lies outside what it means.
    """
    if source == PUBLISHED:
        return _published(data.fetch(source, mirror or None))
    return _links_table(paths.mini_data() / "automata" / "models.csv" if source == "mini" else Path(source))


def check_inputs(values) -> None:
    """Check what the parameters of notebook 36 name, before earlier outputs are deleted; see `read_automata`."""
    source, mirror = str(values["models"]), str(values["data_mirror"])
    if source not in ("search", PUBLISHED) or (source == PUBLISHED and data.local(source, mirror)):
        read_automata(source, mirror)


def _published(path: Path) -> HillAutomata:
    """Rows of 600 numbers: b, K and sign, 200 each, regulators in rows (neighbour means first)."""
    links = 2 * GENES * GENES
    table = read_table(path, header=False, n_columns=3 * links).to_numpy().reshape(-1, 3, 2 * GENES, GENES)
    b, k, signs = table[:, 0], table[:, 1], table[:, 2]
    for name, values, right, expected in (
        ("maximal rate", b, b > 0, "a positive number"),
        ("Michaelis constant", k, k > 0, "a positive number"),
        ("sign", signs, np.isin(signs, (-1, 0, 1)), "-1, 0 or 1"),
    ):
        if not right.all():
            row, i, j = np.argwhere(~right)[0]
            place = f"{path} row {row + 1}, {name} of link {i * GENES + j + 1}"
            raise UserError(f"{place}: found {values[row, i, j]:g}; expected {expected}")
    return HillAutomata(signs.astype(np.int8), b, k)


def _links_table(path: Path) -> HillAutomata:
    columns = ["automaton", "regulator", "target", "sign", "b", "k"]
    table = read_table(path, columns=columns)
    whole = table[columns[:4]].to_numpy()
    for column, low in (("automaton", 0), ("regulator", 0), ("target", 0), ("sign", -1)):
        wrong = (table[column] % 1 != 0) | (table[column] < low) | ((column == "sign") & ~table[column].isin([-1, 1]))
        if wrong.any():
            at = int(wrong.argmax())
            expected = "-1 or 1" if column == "sign" else "a whole number of at least 0"
            raise UserError(
                f"{path} row {at + 2}, column '{column}': found {table[column].iloc[at]:g}; expected {expected}"
            )
    for column in ("b", "k"):
        if (table[column] <= 0).any():
            at = int((table[column] <= 0).argmax())
            raise UserError(
                f"{path} row {at + 2}, column '{column}': found {table[column].iloc[at]:g}; expected a positive number"
            )
    if table.duplicated(columns[:3]).any():
        at = int(table.duplicated(columns[:3]).argmax())
        raise UserError(f"{path} row {at + 2}: this link is listed twice; expected one row a link")
    models, n, genes = (whole[:, :3].max(0) + 1).astype(int)
    genes = max(genes, -(-n // 2))
    signs = np.zeros((models, 2 * genes, genes), dtype=np.int8)
    b, k = np.ones(signs.shape), np.ones(signs.shape)
    at = tuple(whole[:, :3].astype(int).T)
    signs[at], b[at], k[at] = whole[:, 3], table["b"], table["k"]
    return HillAutomata(signs, b, k)


def links_table(automata: HillAutomata) -> pd.DataFrame:
    """One row a link: automaton, regulator, target, sign, b, k; what `read_automata` reads."""
    at = np.argwhere(automata.signs != 0)
    where = tuple(at.T)
    table = pd.DataFrame(at, columns=["automaton", "regulator", "target"])
    return table.assign(sign=automata.signs[where], b=automata.b[where], k=automata.k[where])


def simulate_automata(
    automata: HillAutomata,
    initial: np.ndarray,
    n_steps: int,
    dt: float = 0.2,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """(M, I, T + 1, cells, G) levels by forward Euler; the first sample is the initial state.

    Parameters
    ----------
    initial
        (M, I, cells, G) levels at time zero.
    noise
        Standard deviation of the normal noise added to f at every step, drawn from ``rng``.

    Raises
    ------
    ValueError
        If there is noise without a generator.
    """
    if noise and rng is None:
        raise ValueError("noise needs a random generator")
    square = np.square(automata.k)
    gain = np.where(automata.signs > 0, automata.b, 0.0)
    inhibits = automata.signs < 0
    levels = np.empty((*initial.shape[:2], n_steps + 1, *initial.shape[2:]))
    rng = rng or np.random.default_rng(0)  # not drawn from without noise
    for m in range(len(automata)):
        for i in range(initial.shape[1]):
            levels[m, i, 0] = initial[m, i]
            _run(levels[m, i], square[m], gain[m], inhibits[m], dt, noise, rng)
    return levels


@njit(cache=True, nogil=True, error_model="numpy")
def _run(levels, square, gain, inhibits, dt, noise, rng):
    """Fill levels (T + 1, cells, G) from its first sample on."""
    n_steps, cells, genes = levels.shape[0] - 1, levels.shape[1], levels.shape[2]
    total, free = np.empty(genes), np.empty(genes)
    for t in range(n_steps):
        for cell in range(cells):
            total[:] = 0
            free[:] = 1
            for i in range(2 * genes):
                if i < genes:
                    x = (levels[t, cell - 1, i] + levels[t, (cell + 1) % cells, i]) / 2
                else:
                    x = levels[t, cell, i - genes]
                u = x * x
                for j in range(genes):
                    share = 1 / (square[i, j] + u)
                    total[j] += gain[i, j] * u * share
                    free[j] *= square[i, j] * share if inhibits[i, j] else 1.0
            for j in range(genes):
                rate = total[j] * free[j]
                if noise > 0:
                    rate += noise * rng.standard_normal()
                levels[t + 1, cell, j] = (1 - dt) * levels[t, cell, j] + dt * rate
