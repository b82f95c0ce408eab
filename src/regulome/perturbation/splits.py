"""Training, validation and test cells: by cell as published, by perturbation, by combination.

A split is (N,) positions in `screen.SPLITS`: 0 training, 1 validation, 2 test. Random cells, as published, put every
perturbation into every split: what is measured then is denoising. Whole perturbations or whole combinations in the test
split measure prediction. Control cells are always split at random, for a response needs controls of its own split.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from regulome.errors import UserError
from regulome.perturbation.screen import CONTROL, JOIN, SPLITS

TRAIN, VALIDATION, TEST = range(3)


def by_cell(label: np.ndarray, seed: int = 0) -> np.ndarray:
    """Two nested random splits with 0.8 for training: 64 / 16 / 20 % of the cells, perturbed or not; as published.

    Parameters
    ----------
    label
        (N,) perturbation of each cell; -1: control.
    seed
        0 as published.

    Returns
    -------
    numpy.ndarray
        (N,) int64.

    Raises
    ------
    UserError
        If a split has no perturbed cell or no control.
    """
    split = _nested(len(label), seed)
    return _checked(label, split, "random cells")


def by_perturbation(
    labels: Sequence[str], label: np.ndarray, seed: int = 0, test: float = 0.2, validation: float = 0.16
) -> np.ndarray:
    """Whole perturbations in one split: the test split holds genes whose perturbation is never seen in training.

    Genes are split, not labels: a combination goes where the rarest-seen of its genes goes (test before validation
    before training), so that no held-out gene is met in training inside a combination.

    Parameters
    ----------
    labels
        K perturbations; combinations joined by "+".
    label
        (N,) position in ``labels``; -1: control. Controls are split by cell as in `by_cell`.
    test, validation
        Shares of the perturbed genes, rounded, at least one each.

    Returns
    -------
    numpy.ndarray
        (N,) int64.

    Raises
    ------
    UserError
        If the shares are no good, genes are too few, or a split has no perturbed cell or no control.
    """
    if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
        raise UserError(f"splits: found test {test} and validation {validation}, expected shares whose sum is below 1")
    genes = sorted({gene for name in labels for gene in name.split(JOIN)})
    held, kept = (max(1, round(share * len(genes))) for share in (test, validation))
    if held + kept >= len(genes):
        raise UserError(f"splits: found {len(genes)} perturbed genes, expected more than the {held + kept} held out")
    order = np.random.default_rng(seed).permutation(len(genes))
    place = dict.fromkeys(genes, TRAIN)
    place |= {genes[i]: TEST for i in order[:held]} | {genes[i]: VALIDATION for i in order[held : held + kept]}
    of_label = np.array([max(place[gene] for gene in name.split(JOIN)) for name in labels])
    return _checked(label, _with_controls(label, of_label[label], seed), "held-out perturbations")


def by_combination(labels: Sequence[str], label: np.ndarray, seed: int = 0, share: float = 1.0) -> np.ndarray:
    """Combinations in the test split, their single perturbations in training.

    The other perturbed cells are split 80 / 20 at random into training and validation, controls as in `by_cell`.

    Parameters
    ----------
    labels, label
        As in `by_perturbation`.
    share
        Of the combinations that are held out, at least one of them.

    Returns
    -------
    numpy.ndarray
        (N,) int64.

    Raises
    ------
    UserError
        If there are no combinations, or a split has no perturbed cell or no control.
    """
    pairs = [k for k, name in enumerate(labels) if JOIN in name]
    if not pairs:
        raise UserError(f"splits: found no combination among {len(labels)} labels, expected some such as 'A{JOIN}B'")
    if not 0 < share <= 1:
        raise UserError(f"splits: share of held-out combinations: found {share}, expected above 0 and at most 1")
    held = np.random.default_rng(seed).permutation(pairs)[: max(1, round(share * len(pairs)))]
    split = np.full(len(label), TRAIN)
    split[np.isin(label, held)] = TEST
    rest = np.flatnonzero((label >= 0) & (split == TRAIN))
    if len(rest) > 1:
        split[train_test_split(rest, train_size=0.8, random_state=seed)[1]] = VALIDATION
    return _checked(label, _with_controls(label, split, seed), "held-out combinations")


def table(labels: Sequence[str], label: np.ndarray, split: np.ndarray) -> pd.DataFrame:
    """Cells of each perturbation (rows; controls first) in each split (columns)."""
    names = np.array([*labels, CONTROL], object)[label]
    counted = pd.crosstab(names, np.array(SPLITS, object)[split])
    return counted.reindex(index=[CONTROL, *labels], columns=list(SPLITS), fill_value=0).rename_axis("perturbation")


def _nested(cells: int, seed: int) -> np.ndarray:
    """(cells,) split of cells, 0.8 twice."""
    if cells < 3:
        raise UserError(f"splits: found {cells} cells, expected at least 3 for three splits")
    rest, test = train_test_split(np.arange(cells), train_size=0.8, random_state=seed)
    split = np.full(cells, TRAIN)
    split[test] = TEST
    if len(rest) > 1:
        split[train_test_split(rest, train_size=0.8, random_state=seed)[1]] = VALIDATION
    return split


def _with_controls(label: np.ndarray, split: np.ndarray, seed: int) -> np.ndarray:
    """The split with controls split by cell."""
    controls = np.flatnonzero(label < 0)
    split = split.copy()
    if len(controls):
        split[controls] = _nested(len(controls), seed)
    return split


def _checked(label: np.ndarray, split: np.ndarray, kind: str) -> np.ndarray:
    for place, name in enumerate(SPLITS):
        perturbed = ((split == place) & (label >= 0)).sum()
        controls = ((split == place) & (label < 0)).sum()
        if not perturbed or not controls:
            raise UserError(
                f"splits: {kind}: the {name} split has {perturbed} perturbed and {controls} control cells, expected "
                f"some of both (of {(label >= 0).sum()} and {(label < 0).sum()})"
            )
    return split.astype(np.int64)
