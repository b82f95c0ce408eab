"""Bases, residues and helices: against the rule of the synthetic data and by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from regulome.binding import synthetic
from regulome.binding.sequences import sequences
from regulome.errors import UserError
from regulome.knockout.binding_sites import Neighbours, TrueScan, reading_sites
from regulome.knockout.interface import knockout
from regulome.knockout.targets import Bases, Helices, Residues


@pytest.fixture(scope="module")
def world():
    return synthetic.mini()


def rule(protein):
    known = synthetic.truth().drop_duplicates("protein").set_index("protein")["structure"]
    return TrueScan({}, {protein: float(known[protein])})


def test_the_sites_of_every_protein_hold_the_residues_of_the_truth(world):
    truth = synthetic.truth().query("set == 'training'").sort_values("site")
    for name, rows in truth.groupby("protein"):
        letters = world.proteins.letters[world.proteins.index()[name]]
        assert [letters[i - 1] for i in reading_sites(letters)] == rows["residue"].tolist()


def test_only_residues_that_read_a_base_matter(world):
    protein = world.proteins.take([0])
    found = knockout(rule("1"), Residues(protein, world.rnas.take(range(100))))
    place = found["removed"].str.extract(r"(\d+)G$")[0].astype(int)
    reads = place.isin(reading_sites(protein.letters[0]))
    np.testing.assert_allclose(found.loc[~reads, "effect"], 0, atol=1e-6)
    assert (found.loc[reads, "effect"] < -0.005).all() and reads.sum() >= 4


def test_a_base_outside_the_motif_does_not_matter_and_the_best_site_does():
    odds = np.zeros((3, 4))
    odds[:, 3] = 6.0  # UUU
    model = TrueScan({"p": odds}, {})
    rna = sequences(["ACACAUUUACACA"], "rna", ["r"])
    found = knockout(model, Bases(sequences(["MKV"], "protein", ["p"]), rna))
    place = found["removed"].str.extract(r": [ACGU](\d+)[ACGU]$")[0].astype(int)
    lost = found["effect"].groupby(place).mean()
    assert lost[[6, 7, 8]].max() < -4 and lost.drop([6, 7, 8]).abs().max() < 1.0
    assert found["unit"].unique().tolist() == ["score"]


def test_scores_are_scaled_by_their_spread_over_rnas(world):
    protein, rna, background = world.proteins.take([3]), world.rnas.take([5]), world.rnas.take(range(60))
    raw, scaled = (knockout(rule("4"), Bases(protein, rna, b))["effect"] for b in (None, background))
    spread = rule("4").predict(protein, background).std()
    np.testing.assert_allclose(scaled, raw / spread, rtol=1e-5)


def test_helices_are_counted_in_all_four_readouts(world):
    pytest.importorskip("RNA")
    rna = sequences(["GGGGGCAAAAGCCCCC"], "rna", ["hairpin"])
    found = knockout(rule("1"), Helices(world.proteins.take([0]), rna))
    assert len(found) == 4 and found["kind"].unique().tolist() == ["structure"]


def test_a_neighbour_answers_as_the_nearest_training_protein(world):
    @dataclass(frozen=True)
    class Ridge:
        def predict(self, rnas, weights):
            return weights @ np.arange(3.0)[:, None] * np.ones(len(rnas))

    training = world.proteins.take([0, 1, 2])
    found = Neighbours(training, Ridge()).predict(world.proteins.take([2, 0]), world.rnas.take([0, 1]))
    np.testing.assert_allclose(found, [[2, 2], [0, 0]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": 0}, "residues 0 to .*has residues 1 to"),
        ({"start": 5, "end": 4}, "residues 5 to 4"),
        ({"end": 10_000}, "to 10000: protein '1' has residues 1 to"),
        ({"by": "J"}, "found 'J'"),
    ],
    ids=["first", "reversed", "last", "letter"],
)
def test_a_wrong_range_of_residues_is_refused_with_one_message(world, changes, message):
    with pytest.raises(UserError, match=message):
        knockout(rule("1"), Residues(world.proteins.take([0]), world.rnas.take([0, 1]), **changes))


def test_a_protein_whose_motif_nobody_knows_is_refused():
    model = TrueScan({"p": np.zeros((3, 4))}, {})
    rna = sequences(["ACACAUUUACACA"], "rna", ["r"])
    with pytest.raises(UserError, match="protein 'q': its motif is not known"):
        knockout(model, Bases(sequences(["MKV"], "protein", ["q"]), rna))
    with pytest.raises(UserError, match="no synthetic domain"):
        reading_sites("MKV" * 40)


def test_two_proteins_at_once_are_refused(world):
    with pytest.raises(UserError, match="expected one protein"):
        knockout(rule("1"), Residues(world.proteins.take([0, 1]), world.rnas.take([0, 1])))
