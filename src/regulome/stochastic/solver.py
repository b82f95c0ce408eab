"""The solver: a trained transformer that gives the law of a network's counts for any parameters of its box.

    solver = Solver.load("gene_expression.pt")
    solver.joint(theta)                                   # Distribution over the recorded states
    solver.log_prob(theta[None], counts)                  # differentiable in theta
    solver.observed_log_prob(theta[None], ("mRNA",), counts)

`regulome.stochastic.solver_training` makes one; `regulome.stochastic.checkpoint` keeps it in a file.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regulome.errors import UserError, closest
from regulome.stochastic import checkpoint
from regulome.stochastic.distribution import Distribution
from regulome.stochastic.network import StateTransitionNetwork
from regulome.stochastic.networks import derive_bounds
from regulome.stochastic.prefix_tree import PrefixTree, hidden_states
from regulome.stochastic.prompt import Prompt
from regulome.stochastic.transformer import Architecture, CountTransformer

LIMIT = 3_000_000  # count vectors of one table, or of one sum over species that are not observed
REMEMBERED = 8  # trees of count vectors that are kept between calls


class Solver:
    """Joint law of the recorded states as a function of the parameters.

    Parameters
    ----------
    network
        The network, with bounds (derived where they are missing).
    transformer, prompt
        The transformer and what turns parameters into its prompt.
    record
        How it was trained, plain values.

    Attributes
    ----------
    seconds
        Length of the last training; not kept in files, which do not depend on the machine's speed.
    """

    def __init__(
        self, network: StateTransitionNetwork, transformer: CountTransformer, prompt: Prompt, record: dict | None = None
    ):
        self.network, self.transformer, self.prompt = network, transformer, prompt
        self.record, self.seconds = record or {}, 0.0
        self._trees: dict = {}

    @classmethod
    def new(
        cls,
        network: StateTransitionNetwork,
        architecture: Architecture | None = None,
        seed: int = 0,
        times: tuple[float, float] | None = None,
        ratios: bool = True,
    ) -> "Solver":
        """An untrained solver.

        Parameters
        ----------
        architecture
            Default: `Architecture()`.
        seed
            Of the initial weights.
        times
            Earliest and latest time if it is to solve transient laws.
        ratios
            See `regulome.stochastic.prompt.Prompt.of`.
        """
        architecture = architecture or Architecture()
        if any(name not in network.bounds for name in network.recorded):
            network = derive_bounds(network)
        bounds = tuple(network.bounds[name] for name in network.recorded)
        prompt = Prompt.of(network, "scaled" if architecture.standardise else "published", times, ratios)
        generator = torch.Generator().manual_seed(seed)
        return cls(network, CountTransformer(architecture, prompt.entries, bounds, generator), prompt)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Number of values of each recorded state; larger counts have probability 0."""
        return self.transformer.bounds

    @property
    def device(self) -> torch.device:
        return self.transformer.table.device

    def to(self, device: str) -> "Solver":
        """Move the weights, in place."""
        self.transformer.to(device)
        return self

    # --- probabilities

    def log_prob(self, theta: Tensor, counts: np.ndarray | Tensor, time: Tensor | None = None) -> Tensor:
        """(B, S) log-probabilities of count vectors, differentiable in the parameters.

        Parameters
        ----------
        theta
            (B, P) parameters in natural units.
        counts
            (S, N) counts of the recorded states; those at or above a bound have log-probability -inf.
        time
            (B,) times, for a solver of transient laws.

        Raises
        ------
        UserError
            If counts are no whole numbers of at least 0, or shapes or parameters are no good.
        """
        counts = self._counts(counts, self.network.recorded)
        tree, places, known = self._tree(counts)
        found = self._sum(theta, time, tree, places, counts, len(self.bounds))
        return torch.where(known, found, -torch.inf).to(theta.dtype)

    def observed_log_prob(
        self, theta: Tensor, names: Sequence[str], counts: np.ndarray | Tensor, time: Tensor | None = None
    ) -> Tensor:
        """(B, S) log-probabilities of some of the recorded states, the others summed out exactly.

        Parameters
        ----------
        names
            The observed states, in the order of the columns of ``counts`` (S, len(names)).
        theta, time
            As in `log_prob`.

        Raises
        ------
        UserError
            As `log_prob`; for a name that is not recorded or given twice; if the sum has too many terms.
        """
        recorded, names = self.network.recorded, tuple(names)
        for name in names:
            if name not in recorded or names.count(name) > 1:
                raise UserError(
                    f"solver: state '{name}'{closest(name, recorded)}: expected some of {recorded}, each once"
                )
        counts = self._counts(counts, names)
        depth = 1 + max(recorded.index(name) for name in names)  # states after the last observed one sum to 1
        hidden = [i for i in range(depth) if recorded[i] not in names]
        terms = int(np.prod([self.bounds[i] for i in hidden])) if hidden else 1
        if terms * len(counts) > LIMIT:
            raise UserError(
                f"solver: {len(counts)} count vectors with {terms} states of what is not observed, expected at most "
                f"{LIMIT} terms together; observe more states, or fewer different counts"
            )
        vectors = np.zeros((len(counts), terms, len(recorded)), np.int64)
        for i in range(depth):
            if recorded[i] in names:
                vectors[..., i] = counts[:, names.index(recorded[i]), None]
        if hidden:
            vectors[..., hidden] = np.indices([self.bounds[i] for i in hidden]).reshape(len(hidden), -1).T
        flat = vectors.reshape(-1, len(recorded))
        tree, places, known = self._tree(flat)
        found = self._sum(theta, time, tree, places, flat, depth).unflatten(-1, (len(counts), terms))
        return torch.where(known.view(len(counts), terms)[:, 0], found.logsumexp(-1), -torch.inf).to(theta.dtype)

    def _sum(self, theta, time, tree: PrefixTree, places, counts: np.ndarray, depth: int) -> Tensor:
        """(B, S) sum of the first conditional log-probabilities; counts above a bound are read at the bound."""
        short = PrefixTree(tree.counts[: depth - 1], tree.parents[: depth - 1])
        hidden = hidden_states(self.transformer, self._prompt(theta, time), short)
        total = 0.0
        for i in range(depth):
            value = torch.from_numpy(np.minimum(counts[:, i], self.bounds[i] - 1)).to(self.device)
            total = total + self.transformer.log_softmax(hidden[i], i)[:, places[i], value]
        return total

    def _tree(self, counts: np.ndarray) -> tuple[PrefixTree, tuple[Tensor, ...], Tensor]:
        """Tree of count vectors, place of each in it, and which lie below the bounds; remembered for the next call."""
        key = (counts.shape, hash(counts.tobytes()), str(self.device))
        if key not in self._trees:
            known = (counts < np.array(self.bounds)).all(1)
            tree, places = PrefixTree.of(np.minimum(counts, np.array(self.bounds) - 1))
            while len(self._trees) >= REMEMBERED:
                self._trees.pop(next(iter(self._trees)))
            places = tuple(place.to(self.device) for place in places)
            self._trees[key] = tree.to(self.device), places, torch.from_numpy(known).to(self.device)
        return self._trees[key]

    def _prompt(self, theta: Tensor, time) -> Tensor:
        time = None if time is None else torch.as_tensor(time, dtype=theta.dtype).expand(len(theta))
        return self.prompt(theta, time).to(self.device)

    def _counts(self, counts, names: Sequence[str]) -> np.ndarray:
        """(S, N) whole numbers."""
        array = np.asarray(counts.cpu() if isinstance(counts, Tensor) else counts)
        if array.ndim != 2 or array.shape[1] != len(names):
            raise UserError(
                f"solver: found counts of shape {array.shape}, expected a column each for {', '.join(names)}"
            )
        whole = np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
        whole &= (np.nan_to_num(array) == np.floor(np.nan_to_num(array))) & (np.nan_to_num(array) >= 0)
        if not whole.all():
            row, column = np.argwhere(~whole)[0]
            raise UserError(
                f"solver: count of '{names[column]}' in row {row}: found {array[row, column]}, expected a whole number "
                "of at least 0"
            )
        return array.astype(np.int64)

    # --- laws and draws

    @torch.no_grad()
    def joint(self, theta: np.ndarray | Tensor, time: float | None = None, smallest: float = 1e-12) -> Distribution:
        """Joint law of the recorded states for one parameter set.

        Parameters
        ----------
        theta
            (P,) parameters.
        smallest
            Count vectors, and beginnings of them, with less probability are left out; the rest is normalised.

        Raises
        ------
        UserError
            If more than `LIMIT` count vectors remain: draw a sample then.
        """
        prefixes, masses = np.zeros((1, 0), np.int64), np.ones(1)
        for name in self.network.recorded:
            table = masses[:, None] * self._next(theta, time, prefixes)
            row, count = np.nonzero(table >= smallest)
            if len(row) > LIMIT:
                raise UserError(f"solver: more than {LIMIT} count vectors up to state '{name}'; draw a sample instead")
            prefixes, masses = np.column_stack([prefixes[row], count]), table[row, count]
        return Distribution(self.network.recorded, prefixes, masses / masses.sum())

    @torch.no_grad()
    def sample(
        self, theta: np.ndarray | Tensor, size: int, generator: np.random.Generator, time: float | None = None
    ) -> np.ndarray:
        """(size, N) independent draws for one parameter set, state after state."""
        drawn = np.zeros((size, 0), np.int64)
        for _ in self.network.recorded:
            prefixes, place = np.unique(drawn, axis=0, return_inverse=True) if drawn.shape[1] else (drawn[:1], 0)
            cumulated = np.cumsum(self._next(theta, time, prefixes), 1)
            cumulated = np.broadcast_to(cumulated[place], (size, cumulated.shape[1]))
            level = generator.random(size)[:, None] * cumulated[:, -1:]
            drawn = np.column_stack([drawn, (cumulated < level).sum(1)])
        return drawn

    def _next(self, theta, time, prefixes: np.ndarray) -> np.ndarray:
        """(n, bound) conditional probabilities of the next state's count after each distinct prefix (n, i)."""
        theta = torch.as_tensor(np.asarray(theta, float)).reshape(1, -1)
        state = prefixes.shape[1]
        padded = np.column_stack([prefixes, np.zeros(len(prefixes), np.int64)])
        tree, places = PrefixTree.of(padded)
        hidden = hidden_states(self.transformer, self._prompt(theta, time), tree.to(self.device))[state][0]
        found = self.transformer.log_softmax(hidden, state)[:, : self.bounds[state]].double().exp().cpu().numpy()
        return found[places[state].numpy()] / found.sum(1)[places[state].numpy(), None]

    # --- files

    def save(self, path: str | Path) -> None:
        """Write weights, network, settings and training record to one file; an existing one is replaced at the end."""
        checkpoint.write(
            path,
            self.network,
            {"transformer": self.transformer.settings(), "prompt": self.prompt.settings()},
            self.record,
            self.transformer.state_dict(),
        )

    @classmethod
    def load(cls, path: str | Path, network: StateTransitionNetwork | None = None, device: str = "cpu") -> "Solver":
        """Read what `save` wrote; nothing in the file is run.

        Parameters
        ----------
        network
            The network that is expected (default: any).

        Raises
        ------
        UserError
            If the file is missing, is no checkpoint, is damaged, or is of another network.
        """
        found, settings, record, weights = checkpoint.read(path, network)
        with checkpoint.mending(path):
            architecture = Architecture(**settings["transformer"]["architecture"])
            prompt = Prompt.from_settings(settings["prompt"])
            bounds = tuple(settings["transformer"]["bounds"])
            transformer = CountTransformer(architecture, prompt.entries, bounds, torch.Generator())
            transformer.load_state_dict(weights)
        return cls(found, transformer, prompt, record).to(device)
