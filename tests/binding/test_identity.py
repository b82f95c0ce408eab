"""Identities against Biopython's aligner, the BLAST-like conventions, and the published percent identities."""

import os

import numpy as np
import pytest

from regulome.binding import identity, synthetic
from regulome.binding.sequences import sequences
from regulome.errors import UserError

ALPHABET = np.array(list("ACDEFGHIKLMNPQRSTVWYX"))


def random_proteins(count, seed):
    generator = np.random.default_rng(seed)
    letters = ["".join(generator.choice(ALPHABET, generator.integers(20, 70))) for _ in range(count)]
    letters.append(letters[0][5:40] + "GGGG" + letters[0][44:])  # a homologue with an insertion
    letters.append(letters[1][:18] + letters[1][25:])  # and one with a deletion
    return sequences(letters, "protein")


def biopython(mode="local"):
    align = pytest.importorskip("Bio.Align")
    matrix = align.substitution_matrices.load("BLOSUM62")
    return align.PairwiseAligner(mode=mode, substitution_matrix=matrix, open_gap_score=-11, extend_gap_score=-1)


def test_scores_are_those_of_biopython():
    proteins = random_proteins(12, 1)
    aligner = biopython()
    expected = [[aligner.score(a, b) for b in proteins.letters] for a in proteins.letters]
    assert np.array_equal(identity.scores(proteins), expected)


def test_identical_residues_are_the_most_among_all_best_alignments():
    """Biopython with 1000 points for each point of BLOSUM62 and one more for identity finds the same optimum."""
    proteins = random_proteins(8, 2)
    aligner = biopython()
    matrix = aligner.substitution_matrix * 1000
    for letter in "ACDEFGHIKLMNPQRSTVWY":
        matrix[letter, letter] += 1
    aligner.substitution_matrix = matrix
    aligner.open_gap_score, aligner.extend_gap_score = -11_000, -1000
    expected = [[aligner.score(a, b) % 1000 for b in proteins.letters] for a in proteins.letters]
    assert np.array_equal(identity.identical_residues(proteins), expected)


def test_homologues_have_the_identical_residues_that_biopython_counts_and_others_no_fewer():
    """Biopython leaves out ends of an alignment that add nothing to its score; ours are the longest alignments."""
    proteins = random_proteins(8, 2)
    aligner = biopython()
    found = identity.identical_residues(proteins)
    for i, a in enumerate(proteins.letters):
        for j, b in enumerate(proteins.letters):
            best = [_identical(alignment, a, b) for alignment, _ in zip(aligner.align(a, b), range(500), strict=False)]
            assert found[i, j] >= max(best, default=0)
            if (i, j) in ((0, 8), (1, 9)):
                assert found[i, j] == max(best) > 30


def _identical(alignment, a, b):
    blocks = zip(*alignment.aligned, strict=True)
    pairs = [(x, y) for (i, k), (j, m) in blocks for x, y in zip(a[i:k], b[j:m], strict=True)]
    return sum(x == y and x not in "XBZ" for x, y in pairs)


def test_two_lists_give_the_corner_of_all_pairs():
    proteins = random_proteins(7, 3)
    everything = identity.pairwise(proteins)
    corner = identity.pairwise(proteins.take([1, 4]), proteins.take([0, 4, 6]))
    assert np.array_equal(corner, everything[np.ix_([1, 4], [0, 4, 6])])
    assert np.array_equal(everything, everything.T)


def test_a_fragment_is_identical_over_the_shorter_sequence_only():
    whole = "MKWVTFISLLFLFSSAYSRGVFRRDAHKSEVAHRFKDLGEENFKALVLIA"
    pair = sequences([whole, whole[10:35]], "protein")
    assert identity.pairwise(pair, denominator="shorter")[0, 1] == 1
    assert identity.pairwise(pair, denominator="longer")[0, 1] == pytest.approx(25 / 50)


def test_unknown_residues_are_identical_to_nothing_and_rare_ones_are_known():
    assert identity.pairwise(sequences(["XXXXWWWW", "XXXXWWWW"], "protein"))[0, 1] == pytest.approx(0.5)
    assert identity.pairwise(sequences(["UWOW", "UWOW"], "protein"))[0, 1] == 1
    assert identity.pairwise(sequences(["UWWW", "CWWW"], "protein"))[0, 1] == pytest.approx(0.75)


def test_sequences_without_a_positive_score_have_identity_zero():
    assert identity.pairwise(sequences(["GGG", "WWW"], "protein"))[0, 1] == 0


def test_domains_are_cut_with_flanks_and_joined():
    protein = sequences(["ABCDEFGHIKLMNPQRSTVW"], "protein")
    assert identity.domains(protein, ["5;7"], flank=2).letters == ("CDEFGHI",)
    assert identity.domains(protein, ["2;3;18;19"], flank=1).letters == ("ABCDQSTVW".replace("QS", "S"),)
    assert identity.domains(protein, ["3;5;7;9"], flank=3).letters == ("ABCDEFGHIKLM",)
    assert identity.domains(protein, [""]).letters == protein.letters


@pytest.mark.parametrize("text", ["5", "7;5", "0;4", "5;99", "a;b"])
def test_wrong_domain_boundaries_name_the_protein(text):
    with pytest.raises(UserError, match="'1'"):
        identity.domains(sequences(["ACDEFGHIKL"], "protein"), [text])


def test_an_unknown_denominator_is_refused():
    with pytest.raises(ValueError, match="expected one of longer, shorter"):
        identity.pairwise(sequences(["AC", "CA"], "protein"), denominator="mean")


def test_identities_of_the_synthetic_families_are_those_of_their_design():
    whole, truth = synthetic.mini(), synthetic.truth()
    own = truth[truth["set"] == "training"].drop_duplicates("protein").set_index("protein")
    family = own[own["family"] == own["family"].iloc[0]]
    founder = family.index[family["identity"] == 1][0]
    index = whole.proteins.index()
    members = [name for name in family.index if name != founder]
    found = identity.pairwise(
        whole.proteins.take([index[founder]]), whole.proteins.take([index[name] for name in members])
    )
    assert found[0] == pytest.approx(family.loc[members, "identity"].to_numpy(), abs=0.1)  # the tails are random


@pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs the real data (REGULOME_MIRROR)")
def test_published_identities_are_local_and_over_the_longer_domain_sequence():
    from regulome.binding import registered

    chosen = list(range(0, 420, 12))
    proteins = registered.constructs().take(chosen)
    boundaries = registered.metadata().loc[list(proteins.names), "construct_domain_boundaries"]
    cut = identity.domains(proteins, list(boundaries))
    published = registered.identities().loc[list(proteins.names), list(proteins.names)].to_numpy() / 100
    upper = np.triu_indices(len(chosen), 1)
    identical = identity.identical_residues(cut)
    error = {}
    for denominator in identity.DENOMINATORS:
        ours = identity.fraction(identical, cut, denominator=denominator)[upper]
        error[denominator] = np.median(np.abs(ours - published[upper]))
    assert error["longer"] < 0.02 < error["shorter"]
    longer = identity.fraction(identical, cut)[upper]
    assert np.corrcoef(longer, published[upper])[0, 1] > 0.9
