"""The prompt of the solver: parameters, and perhaps a time, as the vector that the transformer reads.

As published it is c = (ln theta_1 .. ln theta_P, initial counts, time), unscaled, with time 0 throughout. Ours is
scaled to mean 0 and standard deviation 1 over the box; parameters that may be zero or negative stand as they are. A
stationary law does not change when all rates are multiplied by one number, so where a network has this freedom its
rates enter as ratios to one of them and the solver is exactly invariant.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from regulome.errors import UserError
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.ratios import default_reference, time_exponents

KINDS = ("scaled", "published")


@dataclass(frozen=True)
class Prompt:
    """How parameters become a prompt.

    Attributes
    ----------
    kind
        "scaled" (ours) or "published".
    log
        (P,) which parameters enter as logarithms.
    shift
        (P,) added before the logarithm: minus the lower bound for parameters that may be <= 0 ("published" only).
    powers
        (P,) power of the reference by which each parameter is divided; zeros where there is no reference.
    reference
        Place of the reference, or -1.
    centre, scale
        (P,) mean and standard deviation over the box of what is left ("scaled"; without the reference's own entry).
    initial
        (N,) initial counts of the recorded states ("published").
    times
        Earliest and latest time of the training, or None for stationary laws.
    """

    kind: str
    log: tuple[bool, ...]
    shift: tuple[float, ...]
    powers: tuple[float, ...]
    reference: int
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    initial: tuple[int, ...]
    times: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        network: StateTransitionNetwork,
        kind: str = "scaled",
        times: tuple[float, float] | None = None,
        ratios: bool = True,
    ) -> "Prompt":
        """The prompt of a network.

        Parameters
        ----------
        times
            Earliest and latest time, for a solver of transient laws.
        ratios
            Whether to use the freedom of the unit of time where there is one (stationary laws, kind "scaled").
        """
        if kind not in KINDS:
            raise UserError(f"prompt: found '{kind}', expected one of {', '.join(KINDS)}")
        number = len(network.parameters)
        initial = tuple(int(count) for count in network.start[network.recorded_index])
        if kind == "published":
            shift = tuple(0.0 if p.log else -p.low for p in network.parameters)
            nothing = (0.0,) * number
            return cls(kind, (True,) * number, shift, nothing, -1, nothing, (1.0,) * number, initial, times)
        log = tuple(p.log for p in network.parameters)
        powers, reference = (0.0,) * number, -1
        exponents = time_exponents(network) if ratios and times is None else None
        if exponents is not None and default_reference(network) is not None:
            place = network.parameter_names.index(default_reference(network))
            if log[place] and all(w == 0 or is_log for w, is_log in zip(exponents, log, strict=True)):
                powers, reference = tuple(float(w / exponents[place]) for w in exponents), place
        plain = cls(kind, log, (0.0,) * number, powers, reference, (0.0,) * number, (1.0,) * number, initial, times)
        sample = plain._parameters(torch.from_numpy(network.sample_box(4096, seed=0))).numpy()
        centre, scale = sample.mean(0), np.maximum(sample.std(0), 1e-9)
        return cls(kind, log, plain.shift, powers, reference, tuple(centre), tuple(scale), initial, times)

    @property
    def entries(self) -> int:
        """Length of the vector."""
        if self.kind == "published":
            return len(self.log) + len(self.initial) + 1
        return len(self.log) - (self.reference >= 0) + (self.times is not None)

    def __call__(self, theta: Tensor, time: Tensor | None = None) -> Tensor:
        """(B, C) float32 prompt vectors, differentiable in the parameters.

        Parameters
        ----------
        theta
            (B, P) parameters in natural units.
        time
            (B,) times; needed if and only if the solver was trained with times.

        Raises
        ------
        UserError
            If a parameter is missing, not finite or has no logarithm, or a time is missing or superfluous.
        """
        self._check(theta, time)
        scaled = (self._parameters(theta) - theta.new_tensor(self.centre)) / theta.new_tensor(self.scale)
        parts = [scaled[:, [i for i in range(len(self.log)) if i != self.reference]]]
        if self.kind == "published":
            parts += [theta.new_tensor(self.initial).expand(len(theta), -1)]
            parts += [theta.new_zeros(len(theta), 1) if time is None else time.to(theta)[:, None]]
        elif time is not None:
            low, high = np.log1p(self.times)
            parts.append(((torch.log1p(time.to(theta)) - 0.5 * (low + high)) / max(0.29 * (high - low), 1e-9))[:, None])
        return torch.cat(parts, 1).float()

    def _parameters(self, theta: Tensor) -> Tensor:
        """(B, P) logarithms where there are, ratios where there is a reference; its own entry is not used."""
        log = torch.tensor(self.log, device=theta.device)
        shifted = theta + theta.new_tensor(self.shift)
        logs = torch.log(torch.where(log, shifted, torch.ones_like(shifted)))
        if self.reference >= 0:
            powers = theta.new_tensor(self.powers)
            logs = logs - powers * logs[:, self.reference, None]
        return torch.where(log, logs, theta)

    def _check(self, theta: Tensor, time: Tensor | None) -> None:
        if theta.dim() != 2 or theta.shape[1] != len(self.log):
            raise UserError(f"solver: found parameters of shape {tuple(theta.shape)}, expected (B, {len(self.log)})")
        shifted = theta.detach() + theta.new_tensor(self.shift)
        bad = ~torch.isfinite(shifted) | (torch.tensor(self.log, device=theta.device) & (shifted <= 0))
        if bad.any():
            row, place = (int(i) for i in bad.nonzero()[0])
            raise UserError(
                f"solver: parameter {place + 1} of set {row}: found {theta[row, place].item():g}, expected a number"
                + (" above 0" if self.log[place] else "")
            )
        if (time is None) != (self.times is None):
            expected = (
                "no time: it solves stationary laws" if self.times is None else "a time: it solves transient laws"
            )
            raise UserError(f"solver: expected {expected}")

    def settings(self) -> dict:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_settings(cls, values: dict) -> "Prompt":
        """What `settings` gave, after JSON."""
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**fields)
