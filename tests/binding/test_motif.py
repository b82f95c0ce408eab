"""From probes to motifs: each step against a plain computation, the whole against known and published motifs."""

import os

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

from regulome.binding import kmer_scores, logo, motif, probe_zscores, synthetic
from regulome.binding.sequences import sequences

BASES = "ACGU"


def random_rnas(count, length, seed):
    generator = np.random.default_rng(seed)
    return sequences(["".join(generator.choice(list(BASES), length)) for _ in range(count)], "rna")


def test_robust_z_of_normal_numbers_is_z():
    values = np.random.default_rng(0).normal(5, 3, (1, 40_000))
    z = probe_zscores.robust(values)
    assert z[0] == pytest.approx((values[0] - 5) / 3, rel=0.03, abs=0.03)


def test_robust_z_ignores_scale_outliers_and_missing_probes():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(12, 3000))
    plain = probe_zscores.robust(values)
    assert probe_zscores.robust(values * 7 + 3) == pytest.approx(plain, abs=1e-9)
    spoilt = values.copy()
    spoilt[0, :30], spoilt[1, 5] = 1e6, np.nan
    found = probe_zscores.robust(spoilt)
    assert found[0, 30:] == pytest.approx(plain[0, 30:], rel=0.1, abs=0.1) and np.isnan(found[1, 5])


def test_the_step_over_experiments_takes_away_what_all_probes_share():
    generator = np.random.default_rng(2)
    sticky = 5 * generator.normal(size=500)
    values = generator.normal(size=(40, 500)) + sticky
    with_step, without = probe_zscores.robust(values), probe_zscores.robust(values, across=False)
    assert abs(np.corrcoef(with_step[0], sticky)[0, 1]) < 0.4
    assert np.corrcoef(without[0], sticky)[0, 1] > 0.9
    assert np.array_equal(probe_zscores.robust(values[:5]), probe_zscores.robust(values[:5], across=False))


def test_a_row_without_spread_becomes_zero():
    assert np.array_equal(probe_zscores.robust(np.ones((1, 9))), np.zeros((1, 9)))


@pytest.mark.parametrize("trim", [0.0, 0.1, 0.3])
def test_kmer_scores_are_trimmed_means_of_scipy(trim):
    rnas = random_rnas(80, 15, 3)
    z = np.random.default_rng(4).normal(size=(2, 80))
    z[1, 7] = np.nan
    found = kmer_scores.kmer_scores(z, rnas, 3, trim)
    for row, got in zip(z, found, strict=True):
        means = []
        for word in kmer_scores.words(3):
            values = [max(v, 0) for v, rna in zip(row, rnas.letters, strict=True) if word in rna and v == v]
            means.append(stats.trim_mean(values, trim) if values else np.nan)
        expected = (np.array(means) - np.nanmean(means)) / np.nanstd(means)
        assert got == pytest.approx(np.nan_to_num(expected), abs=1e-9)


def test_words_never_cross_from_one_rna_to_the_next_and_unknown_bases_have_none():
    rnas = sequences(["AAC", "GUU", "ANA", "C"], "rna")
    index = kmer_scores.KmerIndex.of(rnas, 2)
    words = kmer_scores.words(2)
    found = sorted((words[kmer], probe) for kmer, probe in zip(index.kmers, index.probes, strict=True))
    assert found == [("AA", 0), ("AC", 0), ("GU", 1), ("UU", 1)]
    assert index.counts().sum() == 4


def test_a_word_counts_once_a_probe():
    index = kmer_scores.KmerIndex.of(sequences(["AAAAAA", "AACAA"], "rna"), 2)
    assert index.counts()[0] == 2


def test_words_are_in_base_four_order():
    assert kmer_scores.words(2)[:5] == ["AA", "AC", "AG", "AU", "CA"]
    assert kmer_scores.words(7)[-1] == "UUUUUUU" and len(kmer_scores.words(7)) == 16384


def scores_of(weights, k):
    values = np.zeros(4**k)
    for word, weight in weights.items():
        values[kmer_scores.words(k).index(word)] = weight
    return values


def test_the_motif_of_two_shifted_words_is_that_worked_out_by_hand():
    """ACGUA (8) and CGUAU (4): the second lies one to the right; both outer columns are covered by half of them."""
    pwm = motif.from_kmers(scores_of({"ACGUA": 8.0, "CGUAU": 4.0}, 5), top=2)
    gap, whole = 6 / 4, [12.0, 1, 1, 1]
    first = np.array([8 + gap, gap, gap, gap])
    last = np.array([gap, gap, gap, 4 + gap])
    expected = [first / first.sum()]
    expected += [np.roll(whole, shift) / 15 for shift in (1, 2, 3, 0)]
    expected.append(last / last.sum())
    assert pwm == pytest.approx(np.array(expected))


def test_columns_that_few_words_cover_are_trimmed():
    pwm = motif.from_kmers(scores_of({"ACGUA": 8.0, "ACGUC": 7.0, "CGUAU": 4.0}, 5), top=3)
    assert len(pwm) == 5 and motif.consensus(pwm) == "ACGUA"


def test_ties_of_the_alignment_go_to_the_smaller_shift():
    assert motif.align(["AAAAAA", "AAAAAC", "CAAAAA"]) == [0, 0, 0]
    assert motif.align(["ACGUAC", "CGUACG", "UACGUA"]) == [0, 1, -1]


def test_scores_without_a_positive_word_are_refused():
    with pytest.raises(ValueError, match="positive"):
        motif.from_kmers(np.zeros(64))
    with pytest.raises(ValueError, match="4\\^k"):
        motif.from_kmers(np.ones(100))


def test_comparison_finds_the_offset():
    generator = np.random.default_rng(5)
    pwm = generator.dirichlet([0.3] * 4, 8)
    assert motif.compare(pwm, pwm) == (pytest.approx(1), 0)
    padded = np.vstack([np.full((2, 4), 0.25), pwm])
    assert motif.compare(padded, pwm) == (pytest.approx(1), 2)
    assert motif.compare(pwm, padded) == (pytest.approx(1), -2)
    assert motif.compare(pwm, generator.dirichlet([0.3] * 4, 8))[0] < 0.8


def test_information_is_two_bits_for_one_base_and_none_for_all():
    heights = motif.information(np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]))
    assert heights.sum(axis=1) == pytest.approx([2, 0, 1])


def test_scan_is_the_log_of_the_sum_over_windows():
    pwm = np.random.default_rng(6).dirichlet([1] * 4, 3)
    found = motif.scan(pwm, sequences(["ACGUU"], "rna"))[0]
    windows = [np.prod([4 * pwm[i, BASES.index(base)] for i, base in enumerate(w)]) for w in ("ACG", "CGU", "GUU")]
    assert found == pytest.approx(np.log(sum(windows)), rel=1e-5)


def test_a_planted_motif_is_recovered_from_noisy_probes():
    rnas = random_rnas(4000, 35, 7)
    pwm = np.full((6, 4), 0.04)
    pwm[range(6), [3, 2, 3, 0, 1, 3]] = 0.88  # UGUACU
    signal = motif.scan(pwm, rnas)
    noisy = signal / signal.std() + np.random.default_rng(8).normal(size=4000)
    z = probe_zscores.robust(np.exp(noisy)[None])
    found = motif.from_kmers(kmer_scores.kmer_scores(z, rnas, 6)[0])
    assert motif.compare(found, pwm)[0] > 0.9
    shuffled = probe_zscores.robust(np.random.default_rng(9).permutation(np.exp(noisy))[None])
    assert motif.compare(motif.from_kmers(kmer_scores.kmer_scores(shuffled, rnas, 6)[0]), pwm)[0] < 0.8


def test_motifs_of_the_mini_data_are_found():
    whole, odds = synthetic.mini().take(proteins=range(24)), synthetic.motifs()
    scores = kmer_scores.kmer_scores(probe_zscores.robust(whole.intensities), whole.rnas, 6)
    found = []
    for name, row in zip(whole.proteins.names, scores, strict=True):
        truth = np.exp(odds[name]) / np.exp(odds[name]).sum(axis=1, keepdims=True)
        found.append(motif.compare(motif.from_kmers(row), truth)[0])
    assert np.median(found) > 0.9


def test_a_logo_stacks_letters_to_the_given_heights():
    fig, ax = plt.subplots()
    heights = np.array([[0.5, 0, 1.0, 0], [-0.5, 0.25, 0, -1.0]])
    logo.draw(ax, heights)
    assert len(ax.patches) == 5
    fig.canvas.draw()
    inverse = ax.transData.inverted()
    boxes = [p.get_path().get_extents(p.get_transform()).transformed(inverse) for p in ax.patches]
    assert max(box.y1 for box in boxes) == pytest.approx(1.5) and min(box.y0 for box in boxes) == pytest.approx(-1.5)
    assert sorted(round(box.height, 6) for box in boxes) == [0.25, 0.5, 0.5, 1.0, 1.0]
    plt.close(fig)


def test_a_logo_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="expected \\(positions, 4\\)"):
        logo.draw(plt.figure().gca(), np.ones((3, 5)))


needs_data = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs the real data (REGULOME_MIRROR)")


@needs_data
def test_published_matrices_have_a_floor_of_one_and_not_a_pseudo_count_of_one():
    """In columns of one base the other three cells are 1 / (S + 3), with S the sum of z in the file's comment."""
    from regulome import data

    totals, smallest = [], {}
    for line in data.fetch("rbp420_pwms").read_text().splitlines():
        cells = line.split()
        if cells and cells[0] == "#":
            totals.append(float(cells[-1]))
        elif len(cells) == 5 and cells[0].isdigit():
            values = np.sort(np.array(cells[1:], dtype=float))
            if values[2] == values[0] < 0.2:
                smallest.setdefault(len(totals) - 1, []).append(values[0])
    floor = np.array([abs(min(values) * (totals[i] + 3) - 1) for i, values in smallest.items()])
    added = np.array([abs(min(values) * (totals[i] + 4) - 1) for i, values in smallest.items()])
    assert len(floor) > 100 and np.median(floor) < 1e-3 < np.median(added)


@needs_data
def test_measured_probes_give_the_published_motifs():
    from regulome.binding import registered

    measured, published = registered.measured(), registered.pwms()
    scores = kmer_scores.kmer_scores(probe_zscores.robust(measured.intensities), measured.rnas, 7)
    for name, row in zip(measured.proteins.names, scores, strict=True):
        assert motif.compare(motif.from_kmers(row), published[name])[0] > 0.97
