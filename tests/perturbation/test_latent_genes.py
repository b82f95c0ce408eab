"""Extended latent genes: scanpy's test against scipy's, the two rules, and which cells are looked at."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import mannwhitneyu
from statsmodels.stats.multitest import multipletests

from regulome.errors import UserError
from regulome.perturbation import latent_genes

GENES = tuple("ABCDEFGH")


@pytest.fixture(scope="module")
def cells() -> tuple[csr_matrix, np.ndarray]:
    """A knocks down itself, raises C and nearly silences D; B lowers E; H is hardly ever seen."""
    label = np.repeat(["control", "A", "B"], [200, 80, 80]).astype(object)
    mean = np.tile([5.0, 5, 5, 5, 5, 5, 5, 0.01], (360, 1))
    mean[label == "A"] *= [0.1, 1, 4, 0.05, 1, 1, 1, 1]
    mean[label == "B"] *= [1, 0.1, 1, 1, 0.3, 1, 1, 1]
    return csr_matrix(np.random.default_rng(0).poisson(mean).astype(np.float32)), label


@pytest.fixture(scope="module")
def tests(cells) -> pd.DataFrame:
    return latent_genes.differential(cells[0], GENES, cells[1])


def test_p_values_and_fold_changes_are_those_of_other_libraries(cells, tests):
    counts, label = cells[0].toarray(), cells[1]
    value = np.log1p(counts / counts.sum(1, keepdims=True) * np.median(counts.sum(1)))
    for name in ("A", "B"):
        own, control = value[label == name], value[label == "control"]
        plain = mannwhitneyu(own, control, method="asymptotic", use_continuity=False).pvalue
        found = tests[tests["perturbation"] == name].set_index("gene").loc[list(GENES)]
        adjusted = multipletests(plain, method="fdr_bh")[1]
        # scanpy's single precision breaks some ties: 0.04 is 10 %, of p-values down to 1e-38
        np.testing.assert_allclose(np.log10(found["p"]), np.log10(adjusted), atol=0.04)
        means = [np.expm1(part.mean(0)) + 1e-9 for part in (own, control)]
        np.testing.assert_allclose(found["log2fc"], np.log2(means[0] / means[1]), rtol=1e-3)
        np.testing.assert_allclose(found["share"], (counts[label == name] > 0).mean(0), rtol=1e-6)
        np.testing.assert_allclose(found["control_share"], (counts[label == "control"] > 0).mean(0), rtol=1e-6)


def test_responding_genes_that_are_never_perturbed_are_extended(tests):
    found = latent_genes.extended(tests, ("A", "B"), lfc=1.0)
    assert found["gene"].tolist() == ["C", "D", "E"]
    assert found["strongest"].tolist() == ["A", "A", "B"]
    assert np.sign(found["log2fc"]).tolist() == [1, -1, -1]
    assert latent_genes.extended(tests, ("A", "B"), lfc=1.0, most=2)["gene"].tolist() == ["C", "D"]


def table(rows) -> pd.DataFrame:
    names = ["perturbation", "gene", "score", "log2fc", "p", "share", "control_share"]
    return pd.DataFrame(rows, columns=names)


def test_a_gene_that_no_cell_has_is_not_extended_whatever_its_fold_change():
    rare = table([("A", "C", 4.0, 9.0, 1e-5, 0.01, 0.0), ("A", "D", 4.0, 2.0, 1e-5, 0.01, 0.3)])
    assert latent_genes.extended(rare, ("A",))["gene"].tolist() == ["D"]
    assert latent_genes.extended(rare, ("A",), min_share=0)["gene"].tolist() == ["C", "D"]


def test_the_released_rule_takes_one_gene_a_perturbation_and_asks_no_p_value_of_negative_changes():
    rows = [
        ("A", "C", 9.0, 4.0, 1e-9, 0.5, 0.5),
        ("A", "D", 8.0, 5.0, 1e-9, 0.5, 0.5),  # as good, but second
        ("B", "E", 0.1, -4.0, 0.9, 0.5, 0.5),  # no evidence at all
        ("F", "G", 0.2, 4.0, 0.9, 0.5, 0.5),
    ]
    published = latent_genes.extended(table(rows), ("A", "B", "F"), "published", lfc=3.0)
    assert published["gene"].tolist() == ["C", "E"]
    assert latent_genes.extended(table(rows), ("A", "B", "F"), "any", lfc=3.0)["gene"].tolist() == ["C", "D"]


def test_genes_that_change_under_most_perturbations_come_first():
    rows = [(k, "C", 5.0, 1.5, 1e-5, 0.5, 0.5) for k in "AB"] + [("A", "D", 5.0, 7.0, 1e-5, 0.5, 0.5)]
    assert latent_genes.extended(table(rows), (), most=1)["gene"].tolist() == ["C"]


def test_mistakes_are_refused(cells, tests):
    with pytest.raises(UserError, match=r"rule is 'publish' \(did you mean 'published'\?\)"):
        latent_genes.extended(tests, (), "publish")
    with pytest.raises(UserError, match="no controls, or no perturbation with two cells"):
        latent_genes.differential(cells[0][200:], GENES, cells[1][200:])
