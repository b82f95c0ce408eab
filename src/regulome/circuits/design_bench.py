"""The cases of a task laid out for a design, and how well networks and circuits do them.

Everything is measured by the share of the target that is explained, R² = 1 - (loss / loss of a constant output)²,
where the constant of each gene is the mean of its targets: 1 is perfect, 0 is as good as saying the same thing always.
"""

from dataclasses import dataclass

import numpy as np
import torch

from regulome.circuits.hill_fit import HillCircuits, fixed_draws, task_loss
from regulome.circuits.network import CircuitNetwork, simulate
from regulome.circuits.task import Task
from regulome.errors import UserError


@dataclass(frozen=True)
class Bench:
    """The cases of a task as arrays, and the measure R².

    Attributes
    ----------
    inputs, targets
        (K, T, I) and (K, T, G) of the cases to be shown: a random case once for each of its draws.
    initial
        (K, G) initial levels, NaN where trained.
    names
        (K,) names of the cases.
    """

    task: Task
    inputs: np.ndarray
    targets: np.ndarray
    initial: np.ndarray
    names: tuple[str, ...]
    baseline: float
    draws: tuple[np.ndarray, np.ndarray]

    def explained(self, loss) -> np.ndarray:
        """R² of losses; minus infinity where a loss is not finite."""
        loss = np.asarray(loss, dtype=float)
        return np.where(np.isfinite(loss), 1 - (loss / self.baseline) ** 2, -np.inf)

    def of_networks(self, network: CircuitNetwork) -> np.ndarray:
        """(R,) R² of networks, without noise."""
        inputs, targets = self.draws
        with torch.no_grad():
            runs = [simulate(network, case_inputs, self.task.dt) for case_inputs in inputs]
        return self.explained(task_loss(self.task, targets)(torch.cat(runs, dim=1).double()).numpy())

    def of_circuits(self, circuits: HillCircuits, substeps: int = 8) -> np.ndarray:
        """(B,) R² of circuits, integrated by Runge-Kutta."""
        inputs, targets = self.draws
        shape = (len(self.task.case_names), circuits.start.shape[1])
        start = np.tile(self.start(circuits, np.broadcast_to(self.task.initial, shape)), (1, len(inputs), 1))
        levels = inputs.reshape(-1, *inputs.shape[2:])
        x = circuits.simulate_exactly(levels, self.task.dt, start, substeps)
        return self.explained(task_loss(self.task, targets)(torch.as_tensor(x)).numpy())

    def start(self, circuits: HillCircuits, initial: np.ndarray | None = None) -> np.ndarray:
        """(B, K, G) levels at time zero."""
        initial = self.initial if initial is None else initial
        return np.where(np.isnan(initial), circuits.start[:, None], np.nan_to_num(initial))

    def curves(self, circuits: HillCircuits, substeps: int | None = 8) -> np.ndarray:
        """(B, K, T, G) levels in the cases to be shown, by Runge-Kutta, or by Euler with the task's dt (None)."""
        if substeps is None:
            return circuits.simulate(self.inputs, self.task.dt, self.start(circuits))
        return circuits.simulate_exactly(self.inputs, self.task.dt, self.start(circuits), substeps)

    def of_rnn(self, network: CircuitNetwork) -> np.ndarray:
        """(R, K, T, G) levels of networks in the cases to be shown."""
        with torch.no_grad():
            return simulate(network, self.inputs, self.task.dt).numpy()

    @property
    def observed(self) -> list[int]:
        """Genes with a target."""
        return np.flatnonzero(~np.isnan(self.targets).all((0, 1))).tolist()


def bench(task: Task, seed: int) -> Bench:
    """Lay out the cases of a task and measure the constant output.

    Raises
    ------
    UserError
        If the targets are one constant level of each gene, which needs no circuit.
    """
    inputs, targets = fixed_draws(task, seed)
    random = {case.index for case in task.random_cases}
    kept = [(s, c) for c in range(len(task.case_names)) for s in range(len(inputs)) if s == 0 or c in random]
    names = [f"{task.case_names[c]} {s + 1}" if c in random else task.case_names[c] for s, c in kept]
    initial = np.broadcast_to(task.initial, (len(task.case_names), len(task.genes)))
    observed = ~np.isnan(targets).all((0, 1, 2))
    constant = np.zeros(len(task.genes))
    constant[observed] = np.nanmean(targets[..., observed], axis=(0, 1, 2))
    still = np.broadcast_to(constant, (len(inputs) * len(task.case_names), task.steps, len(task.genes))).copy()
    baseline = float(task_loss(task, targets)(torch.as_tensor(still)))
    if baseline < 1e-4:
        raise UserError(f"task '{task.name}': every target is the same level: no circuit is needed")
    arrays = (np.stack([table[s, c] for s, c in kept]) for table in (inputs, targets))
    return Bench(task, *arrays, initial[[c for _, c in kept]], tuple(names), baseline, (inputs, targets))
