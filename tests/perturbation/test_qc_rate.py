"""Pass rate of generated cells, counted by hand."""

import numpy as np
import pytest
from perturbation_screens import of

from regulome.perturbation import qc_rate

GENES = ("MT-A", "B", "C", "D")


class Sampler:
    """Real cells of a label, or cells of fixed counts."""

    def __init__(self, counts):
        self.counts = np.asarray(counts, np.float32)

    def predict(self, label, n, seed, library):
        scale = 1 if library == "observed" else library / self.counts.sum()
        return np.tile(self.counts * scale, (n, 1))


@pytest.fixture(scope="module")
def screen():
    rng = np.random.default_rng(0)
    counts = np.column_stack([rng.binomial(10, 0.5, 200), rng.poisson(80, (200, 3))])
    return of(counts, GENES, np.array(["A", "control"], object)[np.arange(200) % 2])


def test_typical_cell_passes_and_mitochondrial_or_poor_cell_does_not(screen):
    for counts, passing in (((5, 80, 80, 80), 1.0), ((90, 50, 50, 50), 0.0), ((0, 3, 3, 3), 0.0)):
        found = qc_rate.generated(Sampler(counts), screen, ["A"], cells=5)
        assert found["passing"].tolist() == [passing] * 3 and found["cells"].tolist() == [5] * 3


def test_published_library_hides_poor_cells(screen):
    poor = Sampler((0, 3, 3, 3))
    assert qc_rate.generated(poor, screen, ["A"], 5, library=qc_rate.PUBLISHED)["passing"].tolist() == [1.0] * 3


def test_share_of_real_cells_is_that_of_limits_computed_by_hand(screen):
    counts = screen.counts.toarray()
    umi, mt = counts.sum(1), 100 * counts[:, 0] / counts.sum(1)
    genes = (counts > 0).sum(1)
    for row in qc_rate.real(screen).itertuples():
        bad = umi < np.median(umi) - row.k * np.median(abs(umi - np.median(umi)))
        bad |= mt > np.median(mt) + row.k * np.median(abs(mt - np.median(mt)))
        assert np.median(abs(genes - np.median(genes))) == 0  # flags nothing
        assert row.passing == pytest.approx(1 - bad.mean()) and 0.5 < row.passing < 1
