"""Leave-one-out on new RNAs: what the homology term reaches for a new protein on RNAs that no array had.

Leave-one-out on profiles (`regulome.binding.gram`) transfers measured profiles from protein to protein on the same
RNAs. A prediction for new RNAs also needs the profiles of the training proteins on them, which is a regression with
errors of its own. What a user may expect, and how much the two-tower network is worth beside the homology term, has to
be judged with both.
"""

import numpy as np

from regulome.binding import gram
from regulome.binding.gram import Problem
from regulome.binding.homology import HomologyTerm
from regulome.binding.rna_regression import KmerRidge
from regulome.binding.sequences import Sequences
from regulome.binding.validation import correlations

SHARE = 0.2  # of the RNAs that are held out


def leave_one_out(
    profiles: np.ndarray, rnas: Sequences, of: Problem, term: HomologyTerm, ridge: KmerRidge, seed: int = 0
) -> np.ndarray:
    """(P,) correlation of every protein, predicted from the others, with its measured profile on held-out RNAs.

    Neither the regression on k-mers nor the weights see the held-out RNAs of any protein.

    Parameters
    ----------
    profiles
        (P, N).
    of
        Which proteins may be used for which; its Gram matrix, of all RNAs, is not used.
    ridge
        Whose penalty and k-mers are taken.
    seed
        Of the draw of held-out RNAs.
    """
    order = np.random.default_rng(seed).permutation(len(rnas))
    count = max(1, round(SHARE * len(rnas)))
    test, rest = np.sort(order[:count]), np.sort(order[count:])
    fitted = KmerRidge.fit(profiles[:, rest], rnas.take(rest), ridge.longest, ridge.penalty * len(rest) / len(rnas))
    known = gram.of_profiles(profiles[:, rest])
    weights = term.weights(of.similarity, of.similarity, known, of.exclude)
    return correlations(fitted.predict(rnas.take(test), weights), profiles[:, test])
