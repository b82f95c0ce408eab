"""One name for every circuit that does the same: canonical forms under gene reversal and relabelling.

Only observed genes are tied to a task. An unobserved gene may be described by its absence (g -> 1 - g), which changes
the sign of every link into and out of it and leaves its self-link alone, and unobserved genes may swap their names
(Shen et al. 2021, Fig. 4: "#6, #6-2 and #6-3"). These operations form the group of signed permutations of the U
unobserved genes, of order 2^U U!. Inputs and observed genes keep name and sign. Letters: M topologies, N = I + G
regulators (inputs first), G genes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from regulome.circuits.mutation import signs as signs_of


@dataclass(frozen=True)
class Symmetry:
    """One element of the group.

    Attributes
    ----------
    order
        (G,) gene that takes each place: place j of the result holds gene ``order[j]``.
    flips
        (G,) sign of the gene at each place of the result, -1 where it is reversed.
    """

    order: tuple[int, ...]
    flips: tuple[int, ...]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Apply to (M, N, G) signs or link values."""
        n_inputs = values.shape[1] - len(self.order)
        order, flips = np.array(self.order), np.array(self.flips, dtype=values.dtype)
        regulators = np.concatenate([np.arange(n_inputs), n_inputs + order])
        factor = np.concatenate([np.ones(n_inputs, values.dtype), flips])
        return values[:, regulators][:, :, order] * factor[:, None] * flips  # a self-link meets its sign twice


def symmetries(n_genes: int, observed: Sequence[int] = (0,), relabel: bool = True) -> Iterator[Symmetry]:
    """All 2^U U! symmetries for ``n_genes`` genes, the identity first.

    Parameters
    ----------
    observed
        Places of the genes that the task compares; they stay as they are.
    relabel
        Whether unobserved genes may swap names (else: 2^U reversals only).

    Raises
    ------
    ValueError
        If an observed gene does not exist.
    """
    if not set(observed) <= set(range(n_genes)):
        raise ValueError(f"observed genes are {list(observed)}, expected places from 0 to {n_genes - 1}")
    free = [gene for gene in range(n_genes) if gene not in observed]
    for names in permutations(free) if relabel else [tuple(free)]:
        order = np.arange(n_genes)
        order[free] = names
        for reversal in product((1, -1), repeat=len(free)):
            flips = np.ones(n_genes, dtype=int)
            flips[free] = reversal
            yield Symmetry(tuple(map(int, order)), tuple(map(int, flips)))


def canonical(signs: np.ndarray, observed: Sequence[int] = (0,), relabel: bool = True) -> np.ndarray:
    """(M, N, G) canonical form of each topology: the greatest of its images, read link by link.

    Links are compared in the order of `regulome.circuits.mutation.link_names` with + > 0 > -, so that the first link
    of an unobserved gene that can be made an activation is one.
    """
    return orient(np.asarray(signs), np.asarray(signs), observed, relabel)


def orient(values: np.ndarray, signs: np.ndarray, observed: Sequence[int] = (0,), relabel: bool = True) -> np.ndarray:
    """Apply to ``values`` (M, N, G) the symmetry that brings each row of ``signs`` into canonical form.

    Where several symmetries do (a topology with a symmetry of its own), the first is taken.
    """
    best, oriented = np.array(signs), np.array(values)
    for symmetry in symmetries(signs.shape[2], observed, relabel):
        image = symmetry(signs)
        better = _greater(image, best)
        best[better] = image[better]
        oriented[better] = symmetry(values[better])
    return oriented


def _greater(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M,) True where a topology of ``a`` comes after that of ``b`` in the lexicographic order of its links."""
    difference = (a.astype(int) - b).reshape(len(a), -1)
    first = (difference != 0).argmax(1)
    return np.take_along_axis(difference, first[:, None], 1)[:, 0] > 0


def classes(values: np.ndarray, cutoff: float, observed: Sequence[int] = (0,)) -> np.ndarray:
    """(M, N, G) canonical signs of networks with these link values (M, N, G)."""
    return canonical(signs_of(values, cutoff), observed)


def same_class(a: np.ndarray, b: np.ndarray, observed: Sequence[int] = (0,)) -> bool:
    """Whether two topologies (N, G) are one circuit up to reversal and relabelling of unobserved genes."""
    return bool((canonical(a[None], observed) == canonical(b[None], observed)).all())


def orbit(signs: np.ndarray, observed: Sequence[int] = (0,)) -> np.ndarray:
    """(K, N, G) the distinct images of one topology (N, G); K divides the order of the group."""
    images = [symmetry(signs[None])[0] for symmetry in symmetries(signs.shape[1], observed)]
    return np.unique(np.stack(images), axis=0)


def canonical_mask(links: np.ndarray, allowed: np.ndarray, observed: Sequence[int] = (0,)) -> np.ndarray:
    """(N, G) the greatest relabelling of one set of links (N, G) that a task allows; signs play no part.

    Relabelling counts only if every link it needs is allowed: where an input may reach one gene alone, that gene is
    tied to its name.
    """
    free = {symmetry.order for symmetry in symmetries(links.shape[1], observed)}
    images = [Symmetry(order, (1,) * len(order))(links[None].astype(int))[0].astype(bool) for order in sorted(free)]
    return max((image for image in images if not (image & ~allowed).any()), key=lambda image: tuple(image.ravel()))
