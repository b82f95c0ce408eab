"""Gradient search for the parameters of Hill circuits: many topologies, many random starts of each, all in one batch.

Free are the logarithms of b and K of every link and the start levels that a task leaves open. On the CPU trajectories
and gradients come from `regulome.circuits.hill_adjoint`, on a GPU from autograd through `regulome.circuits.hill_torch`.
Every restart is judged by the best parameters that it passed through.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regulome import devices
from regulome.circuits import hill_adjoint, hill_torch
from regulome.lanes import LANES

BOUNDS = {"b": (0.01, 30.0), "k": (0.02, 20.0), "start": (0.0, 10.0)}
_CENTRE = {"b": 1.0, "k": 0.5}  # medians of the random starts, which are log-normal with this spread:
_SPREAD = 0.8
_LARGEST_GRADIENT = 10.0  # norm, per parameter set


@dataclass(frozen=True)
class HillCircuits:
    """One parameter set of each of B topologies.

    Attributes
    ----------
    signs
        (B, N, G) +1 activation, -1 inhibition, 0 absent; regulators are inputs, then genes.
    b, k
        (B, N, G) maximal rate and Michaelis constant of each link; 0 and 1 where the model does not use them.
    start
        (B, G) levels at time zero.
    """

    signs: np.ndarray
    b: np.ndarray
    k: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.signs)

    def select(self, index) -> "HillCircuits":
        """Return the circuits at ``index`` (integers, booleans or a slice)."""
        return HillCircuits(*(values[index] for values in (self.signs, self.b, self.k, self.start)))

    def simulate(self, inputs: np.ndarray, dt: float, start: np.ndarray | None = None) -> np.ndarray:
        """(B, C, T, G) levels in float64 under inputs (C, T, I) or (B, C, T, I); ``start`` (B, C, G) replaces ours."""
        return self._run(hill_torch.simulate, inputs, start, dt)

    def simulate_exactly(
        self, inputs: np.ndarray, dt: float, start: np.ndarray | None = None, substeps: int = 8
    ) -> np.ndarray:
        """As `simulate`, by fourth-order Runge-Kutta with dt / substeps: the circuit without the error of Euler."""
        return self._run(hill_torch.simulate_rk4, inputs, start, dt, substeps)

    def _run(self, method, inputs, start, *steps) -> np.ndarray:
        tensors = [torch.as_tensor(values, dtype=torch.float64) for values in (self.b, self.k)]
        first = torch.as_tensor(self.start if start is None else start, dtype=torch.float64)
        levels = torch.as_tensor(np.asarray(inputs, dtype=float))
        with torch.no_grad():
            return method(torch.as_tensor(self.signs), *tensors, levels, first, *steps).numpy()


Trajectory = Callable[[Tensor, Tensor, Tensor], Tensor]  # b, k (B, R, N, G), start (B, R, G) -> (B, R, C, T, G)
Objective = Callable[[Tensor], Tensor]  # (B, R, C, T, G) -> (B, R)


class HillSearch:
    """Parameters of B topologies x R restarts, the best that each restart has seen, and Adam."""

    def __init__(self, signs: np.ndarray, seed: int, restarts: int, device: str):
        self.signs, self.device = signs, devices.choose(device)
        count = restarts if self.device == "cuda" else -(-restarts // LANES) * LANES
        # a topology begins with the same numbers in whatever company it is fitted
        self.generators = [np.random.default_rng([seed, *(table.ravel() + 1).tolist()]) for table in signs]
        self.count = count
        self.values = self._drawn()
        self.values["start"] = self._tensor(np.stack([g.random((count, signs.shape[2])) for g in self.generators]))
        self.fixed = np.zeros((len(signs), signs.shape[2]), dtype=bool)
        self.copied = torch.as_tensor(signs, device=self.device)[:, None].expand(-1, count, -1, -1)
        self.plan = hill_adjoint.Plan(signs, count) if self.device == "cpu" else None

    def _tensor(self, values) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32).to(self.device)

    def _drawn(self) -> dict[str, Tensor]:
        """Random log b and log K of every restart."""
        shape, drawn = (self.count, *self.signs.shape[1:]), {}
        for name in ("b", "k"):
            steps = np.stack([generator.standard_normal(shape) for generator in self.generators])
            low, high = np.log(BOUNDS[name])
            drawn[name] = self._tensor((np.log(_CENTRE[name]) + _SPREAD * steps).clip(low, high))
        return drawn

    @torch.no_grad()
    def screen(self, trajectory: Trajectory, objective: Objective, rounds: int) -> None:
        """Draw every restart ``rounds`` times more, and begin with the best of all."""
        start, kept, losses = self.values["start"], None, None
        for r in range(rounds + 1):
            fresh = {name: self.values[name] for name in ("b", "k")} if r == 0 else self._drawn()
            found = objective(trajectory(fresh["b"].exp(), fresh["k"].exp(), start)).nan_to_num(torch.inf)
            pool = fresh if r == 0 else {name: torch.cat([kept[name], fresh[name]], dim=1) for name in fresh}
            losses = found if r == 0 else torch.cat([losses, found], dim=1)
            order = losses.argsort(dim=1, stable=True)[:, : self.count]
            losses = losses.gather(1, order)
            rows = torch.arange(len(order), device=self.device)[:, None]
            kept = {name: values[rows, order] for name, values in pool.items()}
        self.values |= kept

    def begin_with(self, circuits: HillCircuits) -> None:
        """Let the first restart begin with given parameters."""
        for name in ("b", "k"):
            given = getattr(circuits, name).clip(*BOUNDS[name])
            self.values[name][:, 0] = self._tensor(given).log()
        self.values["start"][:, 0] = self._tensor(circuits.start)

    def fix_start(self, levels: np.ndarray) -> None:
        """Fix start levels, (G,) or (B, G), where they are not NaN."""
        levels = np.broadcast_to(levels, self.fixed.shape)
        self.fixed = ~np.isnan(levels)
        self.values["start"] = torch.where(
            torch.as_tensor(self.fixed, device=self.device)[:, None],
            self._tensor(np.nan_to_num(levels))[:, None],
            self.values["start"],
        )

    def trajectory(self, inputs: np.ndarray, dt: float, states: Callable[[Tensor], Tensor]) -> Trajectory:
        """How to simulate all parameter sets under inputs (C, T, I) or (B, C, T, I), from states(start)."""
        levels = self._tensor(inputs)

        def run(b: Tensor, k: Tensor, start: Tensor) -> Tensor:
            first = states(start).to(self.device).expand(*start.shape[:2], levels.shape[-3], -1)
            if self.plan is not None:
                return hill_adjoint.simulate(self.plan, b, k, levels, first, dt)
            count = start.shape[1]
            own = levels if levels.ndim == 3 else levels.repeat_interleave(count, dim=0)
            flat = (a.flatten(0, 1) for a in (self.copied, b, k))
            return hill_torch.simulate(*flat, own, first.flatten(0, 1), dt).unflatten(0, (-1, count))

        return run

    def run(
        self,
        trajectory: Trajectory,
        objective: Objective,
        updates: int,
        rate: float,
        progress: Callable[[int, int], None] | None = None,
        enough: float | None = None,
        prior: float = 0.0,
    ) -> None:
        """Adam with a cosine rate; afterwards the parameters are the best that each restart has seen.

        Parameters
        ----------
        enough
            Stop when some restart of every topology has a loss this small.
        prior
            Added to the loss: this times the mean squared distance of log b and log K from the centre of the starts.
        """
        names = list(self.values)
        values = [self.values[name].clone() for name in names]
        moments = [(torch.zeros_like(v), torch.zeros_like(v)) for v in values]
        best = [v.clone() for v in values]
        lowest = torch.full(values[0].shape[:2], torch.inf, device=self.device)
        still = torch.as_tensor(~self.fixed, device=self.device)[:, None]
        for step in range(updates + 1):
            for v in values:
                v.requires_grad_()
            losses = objective(trajectory(values[0].exp(), values[1].exp(), values[2]))
            if prior:
                losses = losses + prior * self._distance(values)
            last = step == updates or (enough is not None and bool((lowest.amin(1) <= enough).all()))
            gradients = (
                None if last else torch.autograd.grad(losses.sum(), values, allow_unused=True, materialize_grads=True)
            )
            values = [v.detach() for v in values]
            with torch.no_grad():
                better = losses < lowest  # never true of NaN
                lowest = torch.where(better, losses, lowest)
                best = [
                    torch.where(better[(...,) + (None,) * (v.ndim - 2)], v, old)
                    for v, old in zip(values, best, strict=True)
                ]
                if last:
                    break
                now = rate * 0.5 * (1 + np.cos(np.pi * step / updates))
                self._adam(values, _clipped(gradients), moments, step, now, still)
            if progress:
                progress(step + 1, updates)
        self.values, self.lowest = dict(zip(names, best, strict=True)), lowest

    def _distance(self, values: list[Tensor]) -> Tensor:
        """(B, R) mean squared distance of the parameters in use from the centre, in logarithms."""
        uses = torch.stack([self.copied > 0, self.copied != 0], dim=-1)
        away = torch.stack([values[0] - np.log(_CENTRE["b"]), values[1] - np.log(_CENTRE["k"])], dim=-1)
        return (away.square() * uses).sum((2, 3, 4)) / uses.sum((2, 3, 4)).clamp(min=1)

    def _adam(self, values, gradients, moments, step: int, rate: float, free: Tensor) -> None:
        limits = [tuple(np.log(BOUNDS["b"])), tuple(np.log(BOUNDS["k"])), BOUNDS["start"]]
        for i, (v, g, (mean, square)) in enumerate(zip(values, gradients, moments, strict=True)):
            mean.lerp_(g, 0.1)
            square.mul_(0.99).addcmul_(g, g, value=0.01)
            change = (mean / (1 - 0.9 ** (step + 1))) / ((square / (1 - 0.99 ** (step + 1))).sqrt() + 1e-8)
            if i == 2:
                v -= rate * change * free
                v.copy_(torch.where(free, v.clamp(*limits[i]), v))
            else:
                v.sub_(change, alpha=rate).clamp_(*limits[i])

    def best(self, objective: Objective, simulate: Callable) -> tuple[HillCircuits, np.ndarray]:
        """Best restart of each topology, and its loss in float64."""
        lowest = torch.where(torch.isfinite(self.lowest), self.lowest, torch.inf)
        winner = lowest.argmin(1)
        rows = torch.arange(len(winner), device=self.device)
        log_b, log_k, start = (self.values[name][rows, winner].double().cpu().numpy() for name in ("b", "k", "start"))
        b = np.where(self.signs > 0, np.exp(log_b), 0.0)
        k = np.where(self.signs != 0, np.exp(log_k), 1.0)
        circuits = HillCircuits(self.signs, b, k, start)
        with torch.no_grad():
            loss = objective(torch.as_tensor(simulate(circuits))[:, None])[:, 0].numpy()
        return circuits, np.where(np.isfinite(loss), loss, np.inf)


def _clipped(gradients) -> list[Tensor]:
    """Gradients without NaN, at most `_LARGEST_GRADIENT` long for each parameter set."""
    gradients = [g.nan_to_num(0.0, 0.0, 0.0) for g in gradients]
    norm = sum(g.flatten(2).square().sum(-1) for g in gradients).sqrt()
    factor = (_LARGEST_GRADIENT / norm.clamp(min=_LARGEST_GRADIENT)).nan_to_num(0.0)
    return [g * factor[(...,) + (None,) * (g.ndim - 2)] for g in gradients]
