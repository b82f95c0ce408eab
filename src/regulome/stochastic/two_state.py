"""Closed-form, differentiable law of the mRNA of a two-state gene: what a fit of mRNA counts alone needs.

A gene that switches on (kon) and off (koff) and makes mRNA at rates ksynon and ksynoff has at stationarity a Poisson
number of mRNA whose mean is ``(ksynoff + (ksynon - ksynoff) x) / kdeg`` with x ~ Beta(kon / kdeg, koff / kdeg)
(Peccoud and Ycart 1995, with leak). The integral over x is done by the trapezoidal rule in logit(x), on a grid that is
fine where the integrand bends and reaches into both exponential tails; see the tests for its error.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from regulome.errors import UserError, closest
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.reduction import reduce_to

ROLES = ("kon", "koff", "ksynon", "kdeg")
_TAIL = 40.0  # exp(-40) of the mass is left out


def log_law(
    counts: torch.Tensor,
    kon: torch.Tensor,
    koff: torch.Tensor,
    ksynon: torch.Tensor,
    ksynoff: torch.Tensor,
    kdeg: torch.Tensor,
    nodes: int = 96,
) -> torch.Tensor:
    """ln p(n) of the mRNA of one gene copy.

    Parameters
    ----------
    counts
        (S,) counts n.
    kon, koff, ksynon, ksynoff, kdeg
        (B,) rates, 1 / time, all but ksynoff positive.
    nodes
        Points of the quadrature.

    Returns
    -------
    torch.Tensor
        (B, S), float64.
    """
    a, b = (kon / kdeg).double(), (koff / kdeg).double()
    logit, log_weight = _quadrature(a, b, nodes)
    off, on = (ksynoff / kdeg).double()[:, None], (ksynon / kdeg).double()[:, None]
    mean = (off + (on - off) * torch.sigmoid(logit)).clamp(min=1e-300)
    counts = counts.double()
    terms = (log_weight - mean)[..., None] + mean.log()[..., None] * counts
    return torch.logsumexp(terms, 1) - torch.lgamma(counts + 1)


def _quadrature(a: torch.Tensor, b: torch.Tensor, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, K) places logit(x) and log weights of the expectation over x ~ Beta(a, b); the places carry no gradient."""
    with torch.no_grad():
        centre = torch.log((a + 1) / (b + 1))[:, None]
        scale = torch.sqrt(1 / (a + 1) + 1 / (b + 1))[:, None]
        left, right = (torch.asinh(torch.clamp(_TAIL / (c[:, None] * scale), min=9.0)) for c in (a, b))
        s = -left + (left + right) * torch.linspace(0, 1, nodes, dtype=torch.float64, device=a.device)
        logit = centre + scale * torch.sinh(s)
        log_step = torch.log(scale * torch.cosh(s) * (left + right) / (nodes - 1))
    log_x, log_rest = torch.nn.functional.logsigmoid(logit), torch.nn.functional.logsigmoid(-logit)
    normaliser = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    return logit, a[:, None] * log_x + b[:, None] * log_rest - normaliser[:, None] + log_step


class TwoStateLaw:
    """Likelihood of mRNA counts of a two-state gene, with the interface of solver and exact likelihood.

    Parameters
    ----------
    network
        A network whose mRNA follows the two-state law (telegraph, gene expression): its parameters are used by name.
    roles
        Parameter of the network, or a number, in each role: kon, koff, ksynon, kdeg and, if the gene leaks, ksynoff.
    species
        The mRNA.
    copies
        Independent copies of the gene (2 after replication): their mRNA adds up.

    Raises
    ------
    UserError
        If a role is missing or names no parameter.
    """

    def __init__(
        self,
        network: StateTransitionNetwork,
        roles: Mapping[str, str | float],
        species: str = "mRNA",
        copies: int = 1,
        nodes: int = 96,
    ):
        for role in ROLES:
            if role not in roles:
                raise UserError(f"two-state law: no parameter for '{role}', expected {', '.join(ROLES)}")
        for role, name in roles.items():
            if isinstance(name, str) and name not in network.parameter_names:
                raise UserError(
                    f"two-state law: {role}: unknown parameter '{name}'{closest(name, network.parameter_names)}"
                )
        if copies < 1:
            raise UserError(f"two-state law: found {copies} copies, expected at least 1")
        self.network, self.species, self.copies, self.nodes = network, species, copies, nodes
        self._roles = dict(roles)

    def observed_log_prob(
        self, theta: torch.Tensor, names: Sequence[str], counts: np.ndarray | torch.Tensor
    ) -> torch.Tensor:
        """(B, S) ln p of (S, 1) counts of the mRNA for (B, P) parameters."""
        if tuple(names) != (self.species,):
            raise UserError(f"two-state law: found species {', '.join(names)}, expected {self.species} alone")
        counts = torch.as_tensor(counts, device=theta.device).reshape(-1)
        grid = counts if self.copies == 1 else torch.arange(int(counts.max()) + 1, device=theta.device)
        rates = {role: self._rate(theta, role) for role in (*ROLES, "ksynoff")}
        single = log_law(grid, nodes=self.nodes, **rates)
        return single if self.copies == 1 else torch.log(_power(single.exp(), self.copies))[:, counts]

    def _rate(self, theta: torch.Tensor, role: str) -> torch.Tensor:
        name = self._roles.get(role, 0.0)
        if isinstance(name, str):
            return theta[:, self.network.parameter_names.index(name)]
        return torch.full_like(theta[:, 0], name)


def mrna_law(network: StateTransitionNetwork, copies: int = 1) -> TwoStateLaw:
    """Closed form for a network of `regulome.stochastic.two_state_genes.mrna_network`."""
    roles: dict[str, str | float] = {"kon": "kon", "koff": "koff", "ksynon": "ksyn", "kdeg": 1.0}
    if "ksynoff" in network.parameter_names:
        roles["ksynoff"] = "ksynoff"
    return TwoStateLaw(network, roles, copies=copies)


def recognise(network: StateTransitionNetwork, names: Sequence[str]) -> TwoStateLaw | None:
    """The closed form for one observed species of a network that is a two-state gene and its mRNA; None if it is not.

    Rates are compared by value at random counts and parameters, so that it does not matter how they are written.
    """
    if len(names) != 1 or not network.is_markov or network.triggers:
        return None
    part = reduce_to(network, tuple(names))
    found = _roles(part, names[0])
    return None if found is None else TwoStateLaw(network, found, names[0])


def _roles(network: StateTransitionNetwork, species: str) -> dict[str, str | float] | None:
    """Parameter in each role, if every event is one of the two-state gene."""
    genes = [state for state in network.states if state != species]
    if len(genes) != 2 or sum(network.initial.get(gene, 0) for gene in genes) != 1:
        return None
    for on, off in (genes, genes[::-1]):
        known = {
            "kon": ({on: 1, off: -1}, off),
            "koff": ({on: -1, off: 1}, on),
            "ksynon": ({species: 1}, on),
            "ksynoff": ({species: 1}, off),
            "kdeg": ({species: -1}, species),
        }
        found: dict[str, str | float] = {}
        for event in range(len(network.events)):
            change = {state: n for state, n in network.events[event].change.items() if n}
            for role, (expected, driver) in known.items():
                name = _coefficient(network, event, driver) if change == expected and role not in found else None
                if name is not None:
                    found[role] = name
                    break
        if len(found) == len(network.events) and set(ROLES) <= set(found):
            return found
    return None


def _coefficient(network: StateTransitionNetwork, event: int, driver: str) -> str | float | None:
    """The parameter (or number) k if the propensity of an event is ``k * driver``."""
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 9, (50, len(network.states)))
    theta = network.box[:, 0] + generator.random((50, len(network.parameters))) * np.ptp(network.box, axis=1)
    rate = network.rates[event]
    values = dict(zip(network.states, counts.T, strict=True)) | dict(zip(network.parameter_names, theta.T, strict=True))
    found = np.broadcast_to(rate(**values, **network.constants), 50)
    for name in network.parameter_names:
        if np.allclose(found, values[name] * values[driver], rtol=1e-9):
            return name
    seen = values[driver] > 0
    share = found[seen] / values[driver][seen]
    return float(share[0]) if np.allclose(found, share[0] * values[driver], rtol=1e-9) else None


def _power(law: torch.Tensor, copies: int) -> torch.Tensor:
    """(B, S) law of the sum of independent copies, each with (B, S) probabilities of 0, 1, ..."""
    result = law
    for _ in range(copies - 1):
        shifted = [torch.nn.functional.pad(result, (n, 0))[:, : law.shape[1]] for n in range(law.shape[1])]
        result = torch.einsum("bn,nbs->bs", law, torch.stack(shifted))
    return result
