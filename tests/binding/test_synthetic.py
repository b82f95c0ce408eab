"""The mini data: made again from their seed, and their truth checked against independent computations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.isotonic import IsotonicRegression

from regulome.binding import scan, synthetic
from regulome.binding.compendium import read_matrix
from regulome.binding.synthetic_intensities import blocking, observe, paired, probes
from regulome.binding.synthetic_proteins import PREFERENCES, SCAFFOLD, SITES, Family, motif


@pytest.fixture(scope="module")
def mini():
    return synthetic.mini()


@pytest.fixture(scope="module")
def truth():
    return synthetic.truth()


def test_the_command_makes_the_committed_files_again(tmp_path):
    paths = synthetic.write(tmp_path)
    committed = synthetic.folder()
    assert sorted(path.name for path in paths) == sorted(p.name for p in committed.iterdir() if p.name != "README.md")
    for path in paths:
        if "intensities" in path.name:  # the last digit may differ between processors
            np.testing.assert_allclose(read_matrix(path), read_matrix(committed / path.name), rtol=1e-4, atol=0.0021)
        elif path.suffix == ".csv":
            pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(committed / path.name), atol=2e-4)
        else:
            assert path.read_bytes() == (committed / path.name).read_bytes(), path.name


def test_the_readme_states_the_seed():
    assert f"seed {synthetic.SEED}" in (synthetic.folder() / "README.md").read_text()


def test_the_files_are_small():
    assert sum(path.stat().st_size for path in synthetic.folder().iterdir()) < 1_000_000


def test_another_seed_makes_another_compendium():
    one, two = (synthetic.make(proteins=12, rnas=40, seed=seed) for seed in (1, 2))
    assert one.proteins.letters != two.proteins.letters
    assert one.rnas.letters != two.rnas.letters
    np.testing.assert_array_equal(one.intensities, synthetic.make(proteins=12, rnas=40, seed=1).intensities)


def test_sizes_kind_and_probe_sets(mini):
    assert mini.intensities.shape == (96, 2000)
    assert mini.kind == "synthetic"
    assert (mini.probe_set == "A").sum() == 1000
    assert set(mini.rnas.lengths) <= {30, 35, 36, 38, 39, 41}
    assert len(set(mini.rnas.letters)) == 2000


def test_intensities_look_like_normalised_array_data(mini):
    assert np.mean(mini.intensities < 0) == pytest.approx(0.5, abs=0.01)
    np.testing.assert_allclose(np.mean(mini.intensities < -1, axis=1), 0.1, atol=0.03)
    assert np.isfinite(mini.intensities).all()


def test_three_proteins_were_measured_again(mini):
    letters = mini.proteins.letters
    groups = [[i for i, other in enumerate(letters) if other == sequence] for sequence in dict.fromkeys(letters)]
    repeated = [group for group in groups if len(group) > 1]
    assert sorted(map(len, repeated)) == [2, 2, 3]
    for group in repeated:
        r = np.corrcoef(mini.intensities[group])[np.triu_indices(len(group), 1)]
        assert (r > 0.4).all()
        assert (r < 0.99).all()


def test_new_proteins_and_rnas_are_not_in_training(mini):
    new = synthetic.mini_new()
    assert new.intensities.shape == (8, 300)
    assert not set(new.proteins.letters) & set(mini.proteins.letters)
    assert not set(new.rnas.letters) & set(mini.rnas.letters)


def test_the_truth_names_the_residues_that_stand_in_the_proteins(mini, truth):
    everyone = dict(zip(mini.proteins.names, mini.proteins.letters, strict=True))
    new = synthetic.mini_new().proteins
    everyone |= dict(zip(new.names, new.letters, strict=True))
    assert set(truth["protein"]) == set(everyone)
    for name, rows in truth.groupby("protein"):
        wanted = {SITES[site - 1]: residue for site, residue in zip(rows["site"], rows["residue"], strict=True)}
        tails = range(len(everyone[name]) - max(SITES))
        assert any(all(everyone[name][tail + i] == aa for i, aa in wanted.items()) for tail in tails), name


def test_a_residue_prefers_its_base_by_its_strength_and_no_other():
    for residue, (base, strength) in PREFERENCES.items():
        odds = dict(zip("ACGU", motif(residue)[0], strict=True))
        assert sum(odds.values()) == pytest.approx(0, abs=1e-12)
        for other in odds:
            assert odds.get(base, 0) - odds[other] == pytest.approx(0 if other == base else strength)


@pytest.mark.parametrize("identity", [1.0, 0.95, 0.85, 0.7, 0.55, 0.45, 0.35])
def test_homologues_have_the_wanted_identity_and_frozen_neighbours(identity):
    generator = np.random.default_rng(5)
    for number in range(5):
        family = Family.draw(number, generator)
        protein = family.member(identity, generator)
        left = len(family.tails[0])
        domain = protein.sequence[left : left + len(SCAFFOLD)]
        same = np.mean([a == b for a, b in zip(domain, family.domain, strict=True)])
        assert same == pytest.approx(protein.identity)
        assert same == pytest.approx(identity, abs=0.02)
        assert all(domain[i + d] == SCAFFOLD[i + d] for i in SITES for d in (-1, 1))
        if identity >= 0.8:
            assert protein.read == "".join(family.domain[i] for i in SITES)


def test_distant_homologues_read_other_bases():
    generator = np.random.default_rng(6)
    families = [Family.draw(i, generator) for i in range(40)]
    changed = [
        np.mean([f.member(identity, generator).read != f.member(1.0, generator).read for f in families])
        for identity in (0.9, 0.55, 0.35)
    ]
    assert changed[0] == 0
    assert 0.5 < changed[1] <= changed[2] + 0.2


# --- the scan


@settings(max_examples=40, deadline=None)
@given(
    rnas=st.lists(st.text("ACGUN", min_size=1, max_size=12), min_size=1, max_size=5),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_the_scan_is_the_sum_over_windows_written_out(rnas, widths, seed):
    generator = np.random.default_rng(seed)
    motifs = [generator.normal(size=(width, 4)) for width in widths]
    offsets = generator.normal(size=(len(rnas), max(map(len, rnas))))
    weights = generator.normal(size=len(motifs))
    found = scan.log_sum_exp(motifs, rnas, offsets, weights)
    for p, m in enumerate(motifs):
        for n, rna in enumerate(rnas):
            energies = []
            for j in range(len(rna) - len(m) + 1):
                bases = [m[w].mean() if rna[j + w] == "N" else m[w]["ACGU".index(rna[j + w])] for w in range(len(m))]
                energies.append(sum(bases) + weights[p] * offsets[n, j : j + len(m)].mean())
            expected = logsumexp(energies) if energies else -np.inf
            assert found[p, n] == pytest.approx(expected, abs=1e-4)


def test_the_scan_does_not_depend_on_its_blocks(monkeypatch):
    rnas = probes(50, np.random.default_rng(0))
    motifs = [motif("NHEQSR")]
    whole = scan.log_sum_exp(motifs, rnas)
    monkeypatch.setattr(scan, "_BLOCK", 7)
    np.testing.assert_allclose(scan.log_sum_exp(motifs, rnas), whole, rtol=1e-6)


# --- structure


def test_a_strong_hairpin_is_paired_and_nothing_else_is():
    share = paired("AAAAGGGGCCAAAAAGGCCCCAAAA")
    assert (share[4:10] > 0.9).all()
    assert (share[15:21] > 0.9).all()
    assert share[[0, 1, 2, 3, 10, 11, 12, 13, 14, 21, 22, 23, 24]].max() == 0
    assert paired("A" * 30).max() < 1e-4


def test_the_loop_keeps_three_bases():
    share = paired("GCAGCGAACGCUGC")
    assert (share[[0, 1, 2, 3, 4, 9, 10, 11, 12, 13]] > 0.8).all()
    assert share[[5, 8]].max() == 0  # this pair would leave a loop of two


def test_the_stand_in_agrees_with_the_partition_function_of_viennarna():
    library = pytest.importorskip("RNA")
    ours, theirs = [], []
    for rna in probes(60, np.random.default_rng(2)):
        fold = library.fold_compound(rna)
        fold.pf()
        pairing = np.array(fold.bpp())[1:, 1:]
        theirs.append(pairing.sum(axis=0) + pairing.sum(axis=1))
        ours.append(paired(rna))
    assert np.corrcoef(np.concatenate(ours), np.concatenate(theirs))[0, 1] > 0.6


# --- noise


def test_observed_values_have_the_stated_shape_and_the_stated_ceiling():
    signal = np.random.default_rng(1).normal(size=(2, 200_000))
    measured, best = observe(signal, np.array([0.5, 0.9]), np.random.default_rng(2), beta=0.5)
    np.testing.assert_allclose(np.median(measured, axis=1), 0, atol=1e-9)
    np.testing.assert_allclose((measured < -1).mean(axis=1), 0.1, atol=1e-3)
    for share, m, b in zip((0.5, 0.9), measured, best, strict=True):  # two log-normals: closed form
        expected = np.sqrt((np.exp(0.25 * share) - 1) / (np.exp(0.25) - 1))
        assert np.corrcoef(m, b)[0, 1] == pytest.approx(expected, abs=0.01)


def test_the_true_motif_reaches_the_ceiling_and_not_more(mini, truth):
    """The best monotone function of the true scan, fitted here, against the ceiling stated in the file."""
    rnas = list(mini.rnas.letters)
    energy = blocking(rnas)
    rows = truth[truth["set"] == "training"].groupby("protein", sort=False)
    for name, table in list(rows)[::8]:
        weight = table["structure"].iloc[0]
        scores = scan.log_sum_exp([table[list("ACGU")].to_numpy()], rnas, energy, [weight])[0]
        measured = mini.intensities[int(name) - 1]
        fitted = IsotonicRegression().fit_transform(scores, measured)
        assert np.corrcoef(fitted, measured)[0, 1] == pytest.approx(table["ceiling"].iloc[0], abs=0.07)


def test_structure_matters_where_the_truth_says_so(mini, truth):
    rnas = list(mini.rnas.letters)
    rows = [table for _, table in truth[truth["set"] == "training"].groupby("protein", sort=False)][::3]
    odds, energy = [table[list("ACGU")].to_numpy() for table in rows], blocking(rnas)
    r = []
    for weight in (0.0, 1.0):
        scores = np.exp(scan.log_sum_exp(odds, rnas, energy, [weight] * len(odds)) / 2)
        measured = [mini.intensities[int(table["protein"].iloc[0]) - 1] for table in rows]
        r.append([np.corrcoef(a, b)[0, 1] for a, b in zip(scores, measured, strict=True)])
    gain = np.subtract(r[1], r[0])
    matters = np.array([table["structure"].iloc[0] == 1 for table in rows])
    assert gain[matters].mean() > 0.02
    assert gain[~matters].mean() < -0.02
