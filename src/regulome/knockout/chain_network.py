"""A network that part 2 learned as a state-transition network of part 4: rates, thresholds and weights.

GPO-VAE knows no molecules: its effect A_ij is the log change of target j for a unit log change of regulator i, and the
control cells give mean counts. What is needed beside it is stated here, term by term:

* level x_i: mean control count over the mean share of molecules that is seen (capture efficiency and free mRNA are
  conditions of the experiment and taken as known);
* kinetics: bursts of a known number of molecules, mRNA lifetime 1, mRNA in the place of its protein, Hill exponent 2;
* threshold K_ij = x_i: a regulator in control cells is at half its effect, where it is most sensitive;
* sign s_ij = sign A_ij, and the weight w_ij such that the fall of i under its own knockdown, by the factor f_i, changes
  transcription of j by exactly f_i^A_ij = r. With u = f_i^2 / (f_i^2 + 1) and h = 1 - w + w u (activation; w
  times 1 - u in repression), h(f_i) / h(1) = r gives

    activation  w = (1 - r) / (1 - u - r/2),      repression  w = (r - 1) / (r/2 - u),

  cut off at 0.95: a promoter cannot fall by more than regulation allows (`clipped` counts such links);
* rate r_j: such that the deterministic control level is x_j.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from regulome import files
from regulome.errors import UserError
from regulome.perturbation.gpo import Gpo
from regulome.perturbation.screen import CONTROL, Screen
from regulome.simulated_screen import Settings
from regulome.stochastic import network_json, sbml_export
from regulome.stochastic.gene_ssa import GeneNetwork
from regulome.stochastic.network import StateTransitionNetwork

PROBABILITY = 0.5  # of a link that is taken over
LEAST, MOST = 1e-3, 0.95  # weight of a link
FEWEST = 0.5  # molecules of a gene that is hardly seen


@dataclass(frozen=True)
class Learned:
    """A learned network with molecules.

    Attributes
    ----------
    network
        For `regulome.stochastic.gene_ssa`; genes in the order of the screen.
    level
        (P,) molecules in the average control cell.
    links
        One row a link: regulator, target, sign, effect (A), weight.
    clipped
        Links whose weight was cut off.
    """

    network: GeneNetwork
    level: np.ndarray
    links: pd.DataFrame
    clipped: int


def molecules(screen: Screen, known: Settings, split: str = "train") -> np.ndarray:
    """(P,) molecules of every gene in the average control cell that passed quality control.

    mean count = x (E[size] E[seen] + ambient capture), size and seen log-normal: E = median exp(sd^2 / 2).
    """
    rows = screen.rows(split, CONTROL, passed=True)
    if not len(rows):
        raise UserError(f"{screen.name}: no control cell of the {split} split passed quality control; expected some")
    seen = known.capture * np.exp((known.capture_sd**2 + known.size_sd**2) / 2)
    mean = np.asarray(screen.counts[rows].mean(0), float).ravel()
    return np.maximum(mean / (seen + known.ambient * known.capture), FEWEST)


def weights(effect: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """w of links from effects A and the factors f < 1 by which the regulators fell; see the module."""
    effect, fall = np.asarray(effect, float), np.asarray(fall, float)
    if not ((fall > 0) & (fall < 1)).all():
        raise UserError("chain: found a regulator that did not fall under its own knockdown; expected 0 < factor < 1")
    u, size = fall**2 / (fall**2 + 1), np.abs(effect)
    down, up = fall**size, fall**-size
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = (1 - down) / (1 - u - down / 2)
        falling = (up - 1) / (up / 2 - u)
    return np.where(effect > 0, rising, falling)


def from_model(model: Gpo, screen: Screen, known: Settings, probability: float = PROBABILITY) -> Learned:
    """The network of our GPO-VAE with the control levels of the screen that it was trained on.

    Raises
    ------
    UserError
        If the screen has other genes than the model.
    """
    model.check(screen)
    table = model.edges(probability)
    own = {
        label: float(np.exp(model.effects[row, screen.genes.index(label)]))
        for row, label in enumerate(model.labels)
        if label in screen.genes
    }
    falls = {name: min(max(factor, 0.01), 0.95) for name, factor in own.items()}
    usual = float(np.median(list(falls.values())))
    return build(
        screen.genes,
        molecules(screen, known),
        table[["regulator", "target", "effect"]],
        [falls.get(name, usual) for name in table["regulator"]],
        known.burst,
    )


def build(genes: tuple[str, ...], level: np.ndarray, links: pd.DataFrame, falls, burst: int) -> Learned:
    """A gene network from levels and links (regulator, target, effect), with the factors by which regulators fell."""
    place = {name: row for row, name in enumerate(genes)}
    source, target = (links[column].map(place).to_numpy(int) for column in ("regulator", "target"))
    effect = links["effect"].to_numpy(float)
    wanted = weights(effect, np.asarray(falls, float)) if len(links) else np.zeros(0)
    # beyond what regulation allows, the formula has a pole and turns negative
    beyond = ~((wanted >= 0) & (wanted <= MOST))
    weight = np.where(beyond, MOST, np.clip(wanted, LEAST, MOST))
    sign = np.where(effect > 0, 1, -1)
    network = GeneNetwork(tuple(genes), np.ones(len(genes)), burst, source, target, weight, level[source], sign)
    network = replace(network, rate=level / burst / network.promoter(level))
    return Learned(network, level, links.assign(sign=sign, weight=weight), int(beyond.sum()))


def without_links(learned: Learned) -> Learned:
    """The same levels, every gene for itself."""
    return build(learned.network.names, learned.level, learned.links.iloc[:0], [], learned.network.burst)


def shuffled(learned: Learned, seed: int) -> Learned:
    """The same links onto other targets, drawn anew: what a network of this size and these weights does by chance."""
    generator, genes, links = np.random.default_rng([seed, 52]), learned.network.names, learned.links
    free = [(i, j) for i in range(len(genes)) for j in range(len(genes)) if i != j]
    by_source = {i: generator.permutation([j for a, j in free if a == i]) for i in range(len(genes))}
    source, used, target = learned.network.source, {}, []
    for i in source:
        used[i] = used.get(i, -1) + 1
        target.append(by_source[i][used[i]])
    network = replace(learned.network, target=np.array(target, int))
    network = replace(network, rate=learned.level / network.burst / network.promoter(learned.level))
    return replace(learned, network=network, links=links.assign(target=[genes[j] for j in target]))


# --- export


def transitions(learned: Learned) -> StateTransitionNetwork:
    """For every solver of part 4: two events a gene, starting at the control levels; names are plain identifiers."""
    plain = tuple(re.sub(r"\W", "_", name) for name in learned.network.names)
    network = replace(learned.network, names=plain).transitions()
    start = {name: int(np.floor(value + 0.5)) for name, value in zip(plain, learned.level, strict=True)}
    return replace(network, name="network learned from a perturbation screen", initial=start)


def export(learned: Learned, folder: Path, about: str) -> list[Path]:
    """Write chain_network.json (read by `regulome.stochastic.network_json`) and chain_network.xml (SBML)."""
    network = transitions(learned)
    paths = [folder / "chain_network.json", folder / "chain_network.xml"]
    with files.replacing(paths[0]) as temporary:
        network_json.write_network(network, temporary, about)
    with files.replacing(paths[1]) as temporary:
        Path(temporary).write_text(sbml_export.to_sbml(network, np.zeros(0)), encoding="utf-8")
    return paths


def largest_difference(learned: Learned, path: Path, counts: np.ndarray) -> float:
    """Largest relative difference of propensities between the exported file, read again, and the simulated network.

    Parameters
    ----------
    counts
        (N, P) molecules at which both are evaluated.
    """
    read = network_json.read_network(path)
    found = np.asarray(read.propensities(np.asarray(counts, float), np.zeros(0)), float)
    network, rows = learned.network, []
    for x in np.asarray(counts, float):
        rows.append(np.stack([network.rate * network.promoter(x), x], 1).ravel())
    expected = np.array(rows)
    found = found if found.shape == expected.shape else found.T
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1e-12)))
