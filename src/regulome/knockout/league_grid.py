"""The grid of the league: sizes x noise levels x seeds, each a simulated screen of one known network.

A screen is one of `regulome.simulated_screen`: exact stochastic simulation, then sequencing with free mRNA, damaged
cells and cells that escaped their knockdown. The network depends on size and seed, not on the noise level: capture
efficiency and cells a perturbation change what is seen of it, not what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from regulome import simulated_screen
from regulome.errors import UserError
from regulome.stochastic.gene_ssa import GeneNetwork

MITOCHONDRIAL = 4
CONTROLS = 5  # times as many control cells as cells of a perturbation


@dataclass(frozen=True)
class Cell:
    """One screen of the grid.

    Attributes
    ----------
    size
        Regulators that are knocked down; there are a quarter as many that nobody perturbs, and as many targets.
    cells
        Of each knockdown.
    capture
        Median share of molecules that is seen.
    seed
        Of network, cells and sequencing.
    """

    size: int
    cells: int
    capture: float
    seed: int

    @property
    def name(self) -> str:
        """Unique in a grid."""
        return f"{self.size}_{self.cells}_{self.capture:g}_{self.seed}"

    @property
    def noise(self) -> str:
        """The noise level in words."""
        return f"{self.cells} cells, capture {self.capture:g}"

    def settings(self) -> simulated_screen.Settings:
        """Settings of the screen."""
        return simulated_screen.Settings(
            perturbed=self.size,
            regulators=self.size // 4,
            targets=self.size,
            mitochondrial=MITOCHONDRIAL,
            cells=self.cells,
            controls=CONTROLS * self.cells,
            pairs=0,
            capture=self.capture,
            seed=self.seed,
        )

    def network(self) -> tuple[GeneNetwork, np.ndarray]:
        """The true network and the (G,) level of every gene in control cells, as `simulated_screen.simulate` draws."""
        settings = self.settings()
        first = np.random.SeedSequence(settings.seed).spawn(4)[0]
        return simulated_screen.draw_network(settings, np.random.default_rng(first))


def cells(values: Mapping) -> list[Cell]:
    """All screens, sizes outermost, seeds innermost.

    Raises
    ------
    UserError
        If the noise levels are not pairs of a number of cells and a capture efficiency.
    """
    if len(values["cells"]) != len(values["captures"]):
        found = f"{len(values['cells'])} and {len(values['captures'])}"
        raise UserError(f"cells and captures: found {found} values; expected as many of one as of the other")
    return [
        Cell(size, count, capture, values["seed"] + number)
        for size in values["sizes"]
        for count, capture in zip(values["cells"], values["captures"], strict=True)
        for number in range(values["seeds"])
    ]


def true_changes(cell: Cell) -> np.ndarray:
    """(K, G) natural log of the level after each knockdown over the control's: deterministic kinetics, no noise.

    dx_i/dt = b r_i s_i prod_j h_ij(x_j) - x_i over the time of the screen, s the knockdown.
    """
    network, level = cell.network()
    settings, out = cell.settings(), []
    for gene in range(settings.perturbed):
        production = settings.burst * network.rate
        production[gene] *= settings.knockdown

        def slope(_, x, production=production):
            return production * network.promoter(x) - x

        found = solve_ivp(slope, (0, settings.time), level, rtol=1e-8, atol=1e-8)
        out.append(np.log(found.y[:, -1] / level))
    return np.array(out)
