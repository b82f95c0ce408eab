"""A gap-gene-like system with known links: the mini data of notebook 35, made here and nowhere else.

A gene circuit with one layer, dg/dt = sigmoid(W [Bcd, Tor, g] + h) - g, is fitted to a sketch of four domains under
fixed signs of W; the fitted circuit is then the truth. Its pattern at time 3 (with 1 % measurement noise), its time
course, its Kr mutant and its links are written as CSV. Nothing measured enters.

    python -m regulome.circuits.synthetic_gap FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from regulome.circuits.gap import DT, INPUTS, STEPS
from regulome.circuits.gap_data import GENES, POSITIONS
from regulome.circuits.morphogens import maternal_inputs

SEED = 20210525
NOISE = 0.01
# rows Bcd, Tor, hb, Kr, kni, gt; columns hb, Kr, kni, gt. 0 is an absent link.
SIGNS = np.array(
    [[+1, +1, +1, +1], [+1, -1, -1, -1], [+1, -1, -1, 0], [-1, +1, 0, -1], [-1, -1, +1, 0], [0, -1, -1, +1]]
)


def sketch(x: np.ndarray) -> np.ndarray:
    """(P, 4) drawn domains of hb, Kr, kni, gt: anterior and posterior hb and gt, central Kr, abdominal kni."""

    def bump(centre, width, height):
        return height * np.exp(-(((x - centre) / width) ** 4))

    hb = 0.85 / (1 + np.exp((x - 0.46) / 0.03)) + bump(0.88, 0.06, 0.5)
    return np.stack(
        [hb, bump(0.52, 0.1, 0.85), bump(0.66, 0.08, 0.75), bump(0.27, 0.08, 0.6) + bump(0.79, 0.07, 0.7)], 1
    )


def simulate_circuit(weights, offsets, x, activity=None) -> torch.Tensor:
    """(P, T, 4) levels of the one-layer circuit from zero, forward Euler."""
    inputs = torch.as_tensor(maternal_inputs(x), dtype=weights.dtype)
    state, trajectory = torch.zeros(len(x), len(GENES), dtype=weights.dtype), []
    for _ in range(STEPS):
        rate = torch.sigmoid(torch.cat([inputs, state], 1) @ weights + offsets)
        state = (1 - DT) * state + DT * rate * (1 if activity is None else activity)
        trajectory.append(state)
    return torch.stack(trajectory, 1)


def fit_circuit(updates: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit strengths (6, 4) and offsets (4,) to the sketch, signs fixed; float64, reproducible."""
    generator = torch.Generator().manual_seed(SEED)
    raw = torch.randn(SIGNS.shape, generator=generator, dtype=torch.float64).requires_grad_()
    offsets = torch.full((len(GENES),), -2.0, dtype=torch.float64).requires_grad_()
    signs, target = torch.from_numpy(SIGNS).double(), torch.from_numpy(sketch(POSITIONS))
    optimiser = torch.optim.Adam([raw, offsets], lr=0.02)
    for _ in range(updates):
        weights = signs * (1 + torch.nn.functional.softplus(raw))  # no known link is weaker than 1
        loss = (
            simulate_circuit(weights, offsets, POSITIONS)[:, -1] - target
        ).square().mean() + 1e-5 * raw.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (signs * (1 + torch.nn.functional.softplus(raw))).detach(), offsets.detach()


def make(folder: Path) -> None:
    """Write profile.csv, time_series.csv, kr_mutant.csv and links.csv."""
    weights, offsets = fit_circuit()
    rng = np.random.default_rng(SEED)
    trajectory = simulate_circuit(weights, offsets, POSITIONS).numpy()
    mutant = simulate_circuit(weights, offsets, POSITIONS, torch.tensor([1.0, 0, 1, 1])).numpy()[:, -1]

    def measured(pattern):
        return np.clip(pattern + rng.normal(0, NOISE, pattern.shape), 0, None)

    def table(pattern, **columns):
        return pd.DataFrame({"x": POSITIONS, **columns, **dict(zip(GENES, measured(pattern).T, strict=True))})

    series = [table(trajectory[:, k], time=(k + 1) * DT) for k in range(0, STEPS, 4)]
    links = pd.DataFrame(
        [(r, g, SIGNS[i, j], float(weights[i, j])) for i, r in enumerate(INPUTS + GENES) for j, g in enumerate(GENES)],
        columns=["regulator", "target", "sign", "weight"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (
        ("profile", table(trajectory[:, -1])),
        ("time_series", pd.concat(series)),
        ("kr_mutant", table(mutant)),
        ("links", links),
    ):
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.5g", lineterminator="\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
