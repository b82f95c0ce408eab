"""Summaries over replicates and the rows ours versus published, against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from regulome.circuits import adaptation, gap, gap_data, gap_network, results_adaptation, results_gap
from regulome.circuits.topology import drawable, flip_gene, majority_table, quantiles
from regulome.figures import Output


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path))
    return Output("31_adaptation", "mini")


def test_majority_table_counts_signs_link_by_link():
    values = np.array([[[0.5], [0.001]], [[0.4], [-0.3]], [[-0.2], [0.002]]])  # 3 replicates, 2 regulators, 1 gene
    table = majority_table(values, ["I", "g"], ["g"], cutoff=0.01)
    assert table["sign"].tolist() == [1, 0]
    np.testing.assert_allclose(table["share"], [2 / 3, 2 / 3])
    np.testing.assert_allclose(table["value"], [0.4, 0.001])
    drawn = drawable(table)
    assert drawn[["regulator", "label"]].to_numpy().tolist() == [["I", "67%"]]


def test_a_tie_between_signs_is_no_link():
    values = np.array([[[0.5]], [[-0.5]]])
    assert majority_table(values, ["I"], ["g"], cutoff=0.01)["sign"].tolist() == [0]


def test_flipping_a_gene_twice_changes_nothing_and_keeps_self_links():
    values = np.random.default_rng(0).normal(size=(5, 3, 2))
    flipped = np.array([True, False, True, False, True])
    once = flip_gene(values, regulator=2, target=1, flipped=flipped)
    np.testing.assert_array_equal(flip_gene(once, 2, 1, flipped), values)
    np.testing.assert_array_equal(once[:, 2, 1], values[:, 2, 1])  # g2 on itself
    np.testing.assert_array_equal(once[flipped, 0, 1], -values[flipped, 0, 1])  # I on g2
    np.testing.assert_array_equal(once[flipped, 2, 0], -values[flipped, 2, 0])  # g2 on g1
    np.testing.assert_array_equal(once[~flipped], values[~flipped])


def test_orientation_makes_g2_a_repressor_and_keeps_the_motif():
    values = np.zeros((2, 3, 2))
    values[0, [0, 0, 2], [0, 1, 0]] = [0.2, 0.1, -0.3]  # I -> g1, I -> g2 -| g1
    values[1, [0, 0, 2], [0, 1, 0]] = [0.2, -0.1, 0.3]  # its twin: I -| g2 -> g1
    oriented = adaptation.orient(values)
    np.testing.assert_array_equal(oriented[0], oriented[1])
    for network in (*values, *oriented):
        assert adaptation.motif(np.sign(network)) == "incoherent feed-forward"


def test_quantiles_are_median_and_90_percent_range():
    assert quantiles(np.arange(101)) == {"ours": 50, "low": 5, "high": 95}


def _scores() -> pd.DataFrame:
    rows = []
    for run in adaptation.published_scores().itertuples():
        for replicate in range(3):
            motif = "incoherent feed-forward" if run.sequence.startswith("all") else "negative feedback"
            adapts = run.links >= 3
            rows.append((run.sequence, run.links, replicate, run.sensitivity, run.error, adapts, motif))
    return pd.DataFrame(rows, columns=["sequence", "links", "replicate", "sensitivity", "error", "adapts", "motif"])


def test_replicates_equal_to_the_published_run_agree_in_every_row(out):
    scores = _scores()
    out.compare_all(results_adaptation.sparsening_rows(scores, section="Sparsening"))
    out.compare_all(results_adaptation.motif_rows(results_adaptation.minimal_motifs(scores), section="Motifs"))
    table = out.results()
    assert len(table) == 2 * 11 + 2
    assert set(table["verdict"]) == {"agrees"}


def test_replicates_that_do_not_adapt_differ_from_the_published_run(out):
    scores = _scores().assign(sensitivity=0.0, motif="none")
    out.compare_all(results_adaptation.sparsening_rows(scores, section="Sparsening"))
    out.compare_all(results_adaptation.motif_rows(results_adaptation.minimal_motifs(scores), section="Motifs"))
    table = out.results().set_index("id")["verdict"]
    assert table["fig2c.6.sensitivity"] == table["fig2d.4.sensitivity"] == table["fig2c.3.motif"] == "differs"
    assert table["fig2c.6.error"] == "agrees"


def test_pulse_rows_carry_baseline_and_ceiling(out):
    flat = np.full((4, 20, 150), 0.4)
    pulse = flat.copy()
    pulse[:, :, 60] = 0.8
    out.compare_all(results_adaptation.pulse_rows(pulse, flat, section="Pulses"))
    table = out.results().set_index("id")
    assert table.loc["fig1b.sensitivity", "ours"] == pytest.approx(0.4)
    assert table.loc["fig1b.sensitivity.untrained", ["ours", "verdict"]].tolist() == [0.0, "baseline"]
    assert table.loc["fig1b.sensitivity.target", "ours"] == pytest.approx(0.5, abs=1e-3)  # 2 (1/2 - 1/4) at k = 6 ln 2


@pytest.mark.parametrize(("source", "verdict"), [(gap_data.PAPER_PROFILE, "agrees"), ("synthetic", "not comparable")])
def test_gap_rows_compare_with_the_paper_only_on_its_profile(out, source, verdict):
    compare = results_gap.Comparison(source)
    numbers = {name: np.full(3, value) for name, value in gap.PUBLISHED_MUTANT.items()}
    out.compare_all(compare.mutant_rows(numbers, numbers, section="Kr mutant"))
    table = out.results().set_index("id")["verdict"]
    assert table["fig5e.kni_peak_mutant"] == verdict
    assert table["fig5e.kni_peak_mutant.inputs_only"] == "baseline"


def test_network_that_has_every_known_sign_scores_one(out):
    signed = np.zeros((2, 6, 4), dtype=int)
    for (regulator, gene), sign in gap_network.KNOWN_LINKS.items():
        signed[:, gap.REGULATORS.index(regulator), gap.GENES.index(gene)] = sign
    agreement = gap_network.agreement(signed)
    rows = results_gap.Comparison(gap_data.PAPER_PROFILE).network_rows(agreement, agreement, signed, section="Network")
    out.compare_all(rows)
    table = out.results().set_index("id")
    assert table.loc["fig5d.known", "ours"] == 1
    # seven of the links on which the published networks agree are among the known ones, hb -> gt is not
    assert table.loc["fig5c.published", ["ours", "published", "verdict"]].tolist() == [6, 21, "differs"]


def test_forecast_errors_by_hand():
    levels = np.zeros((1, 4, 4))
    levels[0, :, 0] = [0, 1, 2, 4]  # gene hb over four classes, the last held out
    course = np.zeros((2, 1, 3, 4))
    course[0, 0, :, 0] = [1, 2, 4]  # perfect
    course[1, 0, :, 0] = [1, 2, 2]
    errors = gap.forecast_errors(course, levels, trained_classes=3)
    np.testing.assert_allclose(errors["trained"], [0, 0])
    np.testing.assert_allclose(errors["held out"], [0, 4 / 4])  # (4 - 2)^2 over four genes
    assert errors["persistence"] == pytest.approx(1) and errors["linear"] == pytest.approx(1 / 4)
