"""In-silico knockouts on predictors whose truth is known: what a scan finds is what the predictor reads."""

import numpy as np
import pandas as pd
import pytest

from regulome.binding import knockout_scan, plots_knockout, scan, synthetic_proteins
from regulome.binding.knockout_scan import BEST, COLUMNS, HELIX, PROFILE, Target
from regulome.binding.residue_scan import correlation_interval, windows
from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

RNAS = knockout_scan.random_rnas(400, 38, seed=1)
ODDS = np.log(np.array([[0.05, 0.05, 0.05, 0.85]] * 3 + [[0.85, 0.05, 0.05, 0.05]] * 2) / 0.25)  # UUUAA
ANY = sequences(["MKV" * 20], "protein", ["any"])


class Scan:
    """One motif for every protein."""

    def __init__(self, odds: np.ndarray = ODDS):
        self.odds, self.asked = odds, 0

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        self.asked += 1
        return np.repeat(scan.log_sum_exp([self.odds], rnas.letters), len(proteins), axis=0)


class Code:
    """The rule of the synthetic proteins: a site reads its base where its two unchanging neighbours are next to it."""

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        return scan.log_sum_exp([self.motif(letters) for letters in proteins.letters], rnas.letters)

    def motif(self, letters: str) -> np.ndarray:
        odds = np.zeros((synthetic_proteins.WIDTH, 4))
        for row, site in enumerate(synthetic_proteins.SITES):
            left, right = (synthetic_proteins.SCAFFOLD[site + shift] for shift in (-1, 1))
            places = [i for i in range(1, len(letters) - 1) if letters[i - 1] == left and letters[i + 1] == right]
            places = [i for i in places if letters[i] in synthetic_proteins.PREFERENCES]
            near = [i for i in places if abs(i - TAIL - site) <= 12]
            if near:
                odds[row] = synthetic_proteins.motif(letters[min(near, key=lambda i: abs(i - TAIL - site))])[0]
        return odds


class Free:
    """A motif that is read only where its bases are unpaired: energy of a window lowered by its pairing."""

    def predict(self, proteins: Sequences, rnas: Sequences) -> np.ndarray:
        from regulome.binding import phime

        blocked = -6.0 * phime.profiles(rnas, progress=False)[:, :, 0]
        return np.repeat(scan.log_sum_exp([ODDS], rnas.letters, blocked), len(proteins), axis=0)


TAIL = 10


@pytest.fixture(scope="module")
def protein():
    """A construct of the synthetic world: a domain of 80 residues between two tails of glycine."""
    domain = list(synthetic_proteins.SCAFFOLD)
    for site, residue in zip(synthetic_proteins.SITES, "QQQNNE", strict=True):  # reads UUUAAG
        domain[site] = residue
    return sequences(["G" * TAIL + "".join(domain) + "G" * TAIL], "protein", ["synthetic"])


# --- residues


def test_deleting_residues_that_read_the_rna_hurts_and_deleting_others_does_not(protein):
    table = knockout_scan.deletion_scan(Code(), protein, RNAS, window=3, step=1)
    sites = [TAIL + site + 1 for site in synthetic_proteins.SITES]
    spans = list(zip(table["start"], table["end"], strict=True))
    covers = np.array([any(start <= site <= end for site in sites) for start, end in spans])
    touches = np.array([any(start - 1 <= site <= end + 1 for site in sites) for start, end in spans])
    profile, best = (table["readout"] == PROFILE).to_numpy(), (table["readout"] == BEST).to_numpy()
    assert table.loc[covers & profile, "effect"].max() < -0.05
    assert table.loc[covers & best, "high"].max() < 0
    np.testing.assert_allclose(table.loc[~touches, "effect"], 0, atol=1e-12)
    assert (~touches).sum() > 80


def test_effects_are_those_of_predictions_made_one_by_one(protein):
    table = knockout_scan.deletion_scan(Code(), protein, RNAS, window=10, step=45, domains={"tail": (91, 99)})
    wild = Code().predict(protein, RNAS)[0]
    best = np.argsort(-wild, kind="stable")[:20]
    for row in table.itertuples():
        letters = protein.letters[0]
        mutant = Code().predict(sequences([letters[: row.start - 1] + letters[row.end :]], "protein"), RNAS)[0]
        expected = np.corrcoef(wild, mutant)[0, 1] - 1 if row.readout == PROFILE else (mutant - wild)[best].mean()
        assert row.effect == pytest.approx(expected, abs=1e-6)
        assert row.low <= row.effect <= row.high
    assert list(table["removed"].unique()) == ["1-10", "46-55", "91-100", "tail"]


def test_a_predictor_is_asked_once(protein):
    predictor = Scan()
    knockout_scan.deletion_scan(predictor, protein, RNAS, window=5, step=5)
    knockout_scan.mutation_scan(predictor, protein, RNAS.take([0]))
    assert predictor.asked == 2


def test_a_protein_that_is_not_read_has_no_effect():
    table = knockout_scan.deletion_scan(Scan(), ANY, RNAS)
    np.testing.assert_allclose(table[["effect", "low", "high"]], 0, atol=1e-12)


def test_a_constant_profile_has_correlation_zero():
    wild = np.random.default_rng(0).normal(size=50)
    found, low, high = correlation_interval(wild, np.stack([np.full(50, 3.7), wild]), np.random.default_rng(0))
    np.testing.assert_allclose([found[0], low[0], high[0]], 0)
    np.testing.assert_allclose([found[1], low[1], high[1]], 1)


def test_bootstrap_interval_has_the_width_of_fishers():
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = 0.6 * x + 0.8 * rng.normal(size=400)
    found, low, high = correlation_interval(x, y[None], rng)
    centre, half = np.arctanh(found[0]), 1.96 / np.sqrt(397)
    assert low[0] == pytest.approx(np.tanh(centre - half), abs=0.02)
    assert high[0] == pytest.approx(np.tanh(centre + half), abs=0.02)


def test_windows_cover_every_residue_and_end_with_the_protein():
    found = windows(23, 10, 5)
    assert list(found.values()) == [(1, 10), (6, 15), (11, 20), (14, 23)]
    assert windows(12, 4, 4) == {"1-4": (1, 4), "5-8": (5, 8), "9-12": (9, 12)}


def test_domains_are_read_as_the_metadata_write_them():
    found = knockout_scan.domain_windows("RRMs_3D_hmm_extended;RRMs_3D_hmm_extended", "18;100;103;188")
    assert found == {"RRM 1": (18, 100), "RRM 2": (103, 188)}
    with pytest.raises(UserError, match="found boundaries '18;100;103'"):
        knockout_scan.domain_windows("RRM;RRM", "18;100;103")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 60}, "window: found 60, expected 1 to 59"),
        ({"window": 0}, "window: found 0"),
        ({"step": 0}, "step: found 0"),
        ({"domains": {"RRM": (50, 61)}}, "domain 'RRM': found residues 50 to 61"),
        ({"domains": {"all": (1, 60)}}, "domain 'all'"),
    ],
)
def test_windows_outside_the_protein_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        knockout_scan.deletion_scan(Scan(), ANY, RNAS, **options)


def test_one_protein_at_a_time():
    with pytest.raises(UserError, match="found 2 sequences of kind protein; expected one protein"):
        knockout_scan.mutation_scan(Scan(), sequences(["MKV", "MKL"], "protein"), RNAS.take([0]))
    with pytest.raises(UserError, match="found 1 sequences of kind protein; expected one rna"):
        knockout_scan.mutation_scan(Scan(), ANY, ANY)


# --- bases


def test_mutation_scan_recovers_the_site_of_a_motif():
    rna = sequences(["GCGCCGACGCUUUAAGCGCCGGCGCACG"], "rna", ["probe"])
    table = knockout_scan.mutation_scan(Scan(), ANY, rna)
    depth = table.groupby("start")["effect"].mean()
    assert sorted(depth.nsmallest(5).index) == [11, 12, 13, 14, 15]  # UUUAA
    assert depth.drop([11, 12, 13, 14, 15]).abs().max() < 0.2 * depth.loc[11:15].abs().min()
    assert len(table) == 3 * 28 and list(table.columns[: len(COLUMNS)]) == list(COLUMNS)


def test_effects_of_bases_are_those_of_predictions_made_one_by_one():
    letters = "ACGUUUAANGC"
    table = knockout_scan.mutation_scan(Scan(), ANY, sequences([letters], "rna"))
    score = {s: scan.log_sum_exp([ODDS], [s])[0, 0] for s in (letters, "ACGUUCAANGC", "ACGUUUAAUGC")}
    effect = table.set_index("removed")["effect"]
    assert effect["U6C"] == pytest.approx(score["ACGUUCAANGC"] - score[letters], abs=1e-5)
    assert effect["N9U"] == pytest.approx(score["ACGUUUAAUGC"] - score[letters], abs=1e-5)


def test_logo_of_a_scan_puts_the_mean_loss_on_the_bases_of_the_wild_type():
    table = knockout_scan.mutation_scan(Scan(), ANY, sequences(["GCUUUAACG"], "rna"))
    height, effects = knockout_scan.importance(table), knockout_scan.effect_matrix(table)
    assert height.shape == effects.shape == (9, 4)
    assert height.loc[3, "U"] == pytest.approx(-effects.loc[3].sum() / 3)
    assert (height.drop(columns="U").loc[3] == 0).all() and effects.loc[3, "U"] == 0


def test_best_rna_is_the_one_with_the_highest_score():
    found = knockout_scan.best_rna(Scan(), ANY, RNAS)
    scores = Scan().predict(ANY, RNAS)[0]
    assert found.letters[0] == RNAS.letters[int(scores.argmax())]


def test_motif_of_a_predicted_profile_is_the_motif_that_made_it():
    from regulome.binding import motif

    found = knockout_scan.motif(Scan(), ANY, knockout_scan.random_rnas(3000, 38, seed=2), k=5)
    truth = np.exp(ODDS) / np.exp(ODDS).sum(1, keepdims=True)
    assert motif.compare(found, truth)[0] > 0.85
    other = np.roll(truth, 2, axis=1)
    assert motif.compare(found, other)[0] < 0.5


def test_a_predictor_without_preferences_has_no_motif():
    with pytest.raises(UserError, match="the same prediction for all RNAs"):
        knockout_scan.motif(Scan(np.zeros((5, 4))), ANY, knockout_scan.random_rnas(100, 30, seed=2), k=3)


# --- helices


def test_helices_are_found_as_runs_of_stacked_pairs():
    pytest.importorskip("RNA")
    from regulome.binding import boltzmann
    from regulome.binding.helix_scan import _exchanged, helices

    letters = "AAGGGCGUUUUCGCCCAA"
    assert helices(letters, boltzmann.pair_matrix(letters), 0.5) == [(2, 15, 5)]
    left, right, both = _exchanged(letters, (2, 15, 5))
    assert (left, right, both) == ("AACCCGCUUUUCGCCCAA", "AAGGGCGUUUUGCGGGAA", "AACCCGCUUUUGCGGGAA")


def test_breaking_a_helix_frees_a_motif_and_restoring_it_hides_the_motif_again():
    pytest.importorskip("RNA")
    rna = sequences(["GGGCAGUUUAAGCGAAAGCUUAAACUGCCC"], "rna", ["hidden"])  # UUUAA in the 5' strand
    table = knockout_scan.structure_scan(Free(), ANY, rna, least=0.5)
    main = table[table["pairs"] == table["pairs"].max()].set_index("readout")
    paired = main["paired"]
    assert paired["coupling"] > 0.9 and paired[HELIX[2]] > 0.9 and paired[HELIX[1]] < 0.5
    assert main.loc[HELIX[1], "effect"] > 1.5  # the 3' strand goes, the motif in the other is free
    assert abs(main.loc[HELIX[2], "effect"]) < main.loc[HELIX[1], "effect"]
    plain = knockout_scan.structure_scan(Scan(), ANY, rna, least=0.5).set_index("readout")
    assert abs(plain["effect"][HELIX[1]]).max() < 0.5  # sequence alone: the partner strand hardly matters


def test_coupling_is_what_the_single_effects_leave_unexplained():
    pytest.importorskip("RNA")
    rna = sequences(["GGGCAGUUUAAGCGAAAGCUUAAACUGCCC"], "rna")
    for _, own in knockout_scan.structure_scan(Free(), ANY, rna).groupby("removed"):
        effect = own.set_index("readout")["effect"]
        assert effect["coupling"] == pytest.approx(effect[HELIX[2]] - effect[HELIX[0]] - effect[HELIX[1]])


def test_an_rna_without_helix_gives_an_empty_table():
    pytest.importorskip("RNA")
    table = knockout_scan.structure_scan(Scan(), ANY, sequences(["A" * 20], "rna"))
    assert len(table) == 0 and list(table.columns[: len(COLUMNS)]) == list(COLUMNS)


# --- all of them


def test_knockout_has_all_scans_in_one_table_and_is_the_same_again(protein):
    target = Target(protein, RNAS, domains={"domain": (11, 90)}, window=10, step=20)
    table = knockout_scan.knockout(Code(), target)
    assert list(table.columns) == list(COLUMNS) and {"residues", "bases"} <= set(table["scan"])
    domain = table[(table["removed"] == "domain") & (table["readout"] == PROFILE)]["effect"].item()
    assert domain == pytest.approx(-1, abs=1e-6)  # nothing of the profile is left
    bases = table[table["scan"] == "bases"]
    best = knockout_scan.best_rna(Code(), protein, RNAS)
    assert len(bases) == 3 * best.lengths[0] and bases["effect"].min() < -1
    pd.testing.assert_frame_equal(table, knockout_scan.knockout(Code(), target))
    without = knockout_scan.knockout(Code(), target, structure=False)
    assert set(without["scan"]) == {"residues", "bases"}


def test_figures_hold_the_data_that_they_draw(protein):
    import matplotlib.pyplot as plt

    residues = knockout_scan.deletion_scan(Code(), protein, RNAS, 20, 20, domains={"RRM": (11, 90)})
    rna = sequences(["GGGCAGUUUAAGCGAAAGCUUAAACUGCCC"], "rna")
    bases = knockout_scan.mutation_scan(Code(), protein, rna)
    drawn = [
        (plots_knockout.deletions(residues, {"RRM": (11, 90)}, [18, 46], "title", "sites"), len(residues)),
        (plots_knockout.mutations(bases, "title", [7, 8]), len(bases)),
        (plots_knockout.motifs({"one": np.full((4, 4), 0.25), "two": np.eye(4)}), 8),
    ]
    for (figure, table), rows in drawn:
        assert len(table) == rows and figure.axes
        plt.close(figure)
