"""The Papalexi screen: guides to perturbations, and the numbers of an earlier analysis of the same file."""

import os

import numpy as np
import pytest

from regulome.errors import UserError
from regulome.perturbation import pair_checks, papalexi, prepare

real = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs REGULOME_MIRROR, the real data")


def test_a_cell_is_perturbed_by_the_target_of_its_most_frequent_guide():
    guides = np.array([[5, 1, 0], [0, 3, 3], [0, 0, 0], [1, 0, 9]])
    label, share = papalexi.dominant(guides, np.array(["STAT1", "non-targeting", "JAK2"]))
    assert label.tolist() == ["STAT1", "control", "STAT1", "JAK2"]
    assert share.tolist() == [5 / 6, 1 / 2, 0, 9 / 10]


@pytest.fixture(scope="module")
def screen():
    return papalexi.read()


@real
def test_cells_perturbations_and_genes_are_those_of_the_earlier_analysis(screen):
    assert screen.counts.shape == (18497, 299)
    assert len(screen.perturbations) == 23
    assert (screen.label == "control").sum() == 2191
    assert screen.covariates["guide_share"].min() >= 0.6
    assert screen.counts.sum(1).min() >= 50
    measured = sorted(set(screen.perturbations) & set(screen.genes))
    assert measured == ["CMTM6", "IFNGR2", "JAK2", "NFKBIA", "STAT1", "STAT2", "STAT3", "TNFRSF14", "UBE2L6"]


@real
def test_without_the_least_number_of_cells_there_are_25_perturbations_and_preparation_drops_two(screen):
    every = papalexi.read(min_cells=0)
    assert every.counts.shape[0] == 18632
    assert set(every.perturbations) - set(screen.perturbations) == {"MYC", "SPI1"}
    chosen, _ = prepare.select(every, prepare.Settings())
    assert chosen.cells == screen.cells


@real
def test_the_published_transport_is_nearly_flat_on_stat1(screen):
    described = prepare.describe(screen, prepare.Settings(device="cpu"))
    values = described.normalised(np.arange(len(described)), pair_checks.variable_genes(described))
    flat = pair_checks.flatness(values, described, "STAT1", 1.0, "published")
    assert flat["row_max"] == pytest.approx(1.019, abs=0.0005)
    assert flat["nearest"] == pytest.approx(0.19, abs=0.005)


@real
def test_thresholds_that_no_cell_reaches_are_refused():
    with pytest.raises(UserError, match=r"no perturbed cell with a guide share of 0\.6, 5000 UMI"):
        papalexi.read(min_umi=5000)
