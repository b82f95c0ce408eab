"""Score matrices, rankings and readouts."""

import numpy as np
import pandas as pd
import pytest

from regulome.errors import UserError
from regulome.perturbation import edges

GENES = ("A", "B", "C", "D")
SCORES = np.array([[9, 3, -5, 0], [1, 9, 0, 0], [np.nan, np.nan, np.nan, np.nan], [2, -2, 4, 9.0]])


def test_a_table_is_matched_by_name_and_the_diagonal_is_no_edge():
    table = pd.DataFrame([[1, 2], [3, 4]], index=["B", "A"], columns=["A", "B"])
    found = edges.as_scores(table, ("A", "B", "C"))
    expected = [[np.nan, 4, np.nan], [1, np.nan, np.nan], [np.nan] * 3]
    np.testing.assert_array_equal(found, expected)


def test_the_ranking_is_by_size_and_keeps_signs():
    table = edges.table(edges.as_scores(SCORES, GENES), GENES)
    assert list(zip(table["regulator"], table["target"], table["sign"], strict=True))[:3] == [
        ("A", "C", -1),
        ("D", "C", 1),
        ("A", "B", 1),
    ]
    assert len(table) == 6  # zeros and nan are no edges
    assert table["rank"].tolist() == list(range(1, 7))


def test_undefined_scores_come_last_and_ties_do_not_favour_the_first_genes():
    scores = np.zeros((40, 40))
    scores[:, 20:] = np.nan
    among = ~np.eye(40, dtype=bool)
    first = edges.top(scores, 300, among)
    assert first[:, :20].sum() == pytest.approx(150, abs=40)  # 0 and nan are one tie
    assert first[:20].sum() == pytest.approx(150, abs=40)
    scores[39, 0] = 1e-9
    assert edges.top(scores, 1, among)[39, 0]


def test_the_published_readout_is_a_probability_above_one_half_and_may_keep_the_diagonal():
    logits = np.array([[3, 0.0, -1], [0.01, 3, np.nan], [-0.01, 2, 3]])
    probability = 1 / (1 + np.exp(-logits))
    assert np.argwhere(edges.readout(probability)).tolist() == [[1, 0], [2, 1]]
    assert edges.readout(probability, diagonal=True).sum() == 5
    with pytest.raises(UserError, match="rule 'best'"):
        edges.readout(probability, "best")


def test_pairs_of_some_regulators_and_targets():
    found = edges.pairs([0, 1], [1, 2], 3)
    assert np.argwhere(found).tolist() == [[0, 1], [0, 2], [1, 2]]


def test_stability_of_equal_and_of_random_networks():
    rng = np.random.default_rng(1)
    among = ~np.eye(30, dtype=bool)
    one = rng.normal(size=(30, 30))
    same = edges.stability([one, -one], 50, among).iloc[0]
    assert same["jaccard"] == 1 and same["spearman"] == pytest.approx(1)
    other = edges.stability([rng.normal(size=(30, 30)) for _ in range(12)], 200, among)
    assert other["jaccard"].mean() == pytest.approx(other["chance"].iloc[0], abs=0.02)
    assert other["spearman"].mean() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (np.zeros((2, 3)), r"found scores of shape \(2, 3\); expected \(4, 4\)"),
        (np.where(SCORES == 3, np.inf, SCORES), "A on B: found an infinite score"),
        (pd.DataFrame(np.eye(2), ["A", "A"], ["A", "B"]), "row 'A' appears twice"),
        (pd.DataFrame(np.eye(2), ["X", "Y"], ["A", "B"]), "no row is among the 4 genes"),
    ],
)
def test_other_matrices_are_refused(network, message):
    with pytest.raises(UserError, match=message):
        edges.as_scores(network, GENES, "mine")


def test_more_edges_than_pairs_are_refused():
    with pytest.raises(UserError, match="asked for 13 of 12 pairs"):
        edges.top(np.zeros((4, 4)), 13, ~np.eye(4, dtype=bool))
