"""Registered real data: layouts on small files of the same form, and the real files where they are at hand."""

import os
from collections import Counter

import numpy as np
import pytest

from regulome import data
from regulome.binding import registered, scan
from regulome.binding.semireal import kmer_membership
from regulome.errors import UserError

KEYS = [
    "eupri_metadata", "eupri_sequences", "rbp420_profile_correlation", "rbp420_pwms", "rbp_bert", "rbp_identity_local",
    "rbp_rrm_kh_unique", "rbp_set_a_set_b", "rbp_unirep", "rnacompete_RNCMPT00001_test", "rnacompete_RNCMPT00001_train",
    "rnacompete_RNCMPT00002_test", "rnacompete_RNCMPT00002_train",
]  # fmt: skip
real = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="REGULOME_MIRROR does not name the real data")
GRAM = "# RNCMPT00001 RNCMPT00002 RNCMPT00003\n1 .5 0\n.5 1 .25\n0 .25 1\n"
METADATA = """rnacompete_id construct_aa_seq gene_name paligned pident query_start query_end subject_start subject_end
RNCMPT00003 MGV NA 1 1 1 1 1 .
RNCMPT00001 MKV A1CF 1 1 1 1 1 1
RNCMPT00002 MKV . 1 1 1 1 1 1
""".replace(" ", "\t").replace("\t.", "\t")
PROBES = {"train": ["1.5 ACGU", "-2 GGGU", "7 CCCA"], "test": ["0.25 UUUU", "3 AAAA"]}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small files of the real layouts in the place of the registered ones; returns their writer."""

    def write(key: str, content: str):
        (tmp_path / key).write_text(content)
        return tmp_path / key

    monkeypatch.setattr(registered.data, "fetch", lambda key, mirror=None: tmp_path / key)
    write("rbp420_profile_correlation", GRAM)
    write("eupri_metadata", METADATA)
    for half, lines in PROBES.items():
        for experiment in registered.MEASURED:
            write(f"rnacompete_{experiment}_{half}", "\n".join(lines) + "\n")
    return write


def test_all_files_are_in_the_registry():
    assert set(KEYS) <= set(data.keys())


def test_constructs_come_in_the_order_of_the_gram_matrix(small):
    found = registered.constructs()
    assert found.names == ("RNCMPT00001", "RNCMPT00002", "RNCMPT00003")
    assert found.letters == ("MKV", "MKV", "MGV")
    table = registered.metadata()
    assert table.loc["RNCMPT00003", "gene_name"] == "NA"  # a name, not an absent value
    assert np.isnan(table.loc["RNCMPT00003", "subject_end"])


def test_probes_that_one_experiment_lacks_are_left_out(small):
    small("rnacompete_RNCMPT00002_train", "5 CCCA\n6 ACGU\n4 CACA\n")
    found = registered.measured()
    assert found.rnas.letters == ("ACGU", "CCCA", "UUUU", "AAAA")
    assert found.rnas.names == ("A1", "A2", "B1", "B2")
    assert found.probe_set.tolist() == ["A", "A", "B", "B"]
    np.testing.assert_array_equal(found.intensities, [[1.5, 7, 0.25, 3], [6, 5, 0.25, 3]])
    assert found.proteins.letters == ("MKV", "MKV")
    assert found.kind == "measured"


@pytest.mark.parametrize(
    ("line", "message"),
    [("ACGU", "line 2: found 'ACGU'"), ("x ACGG", "line 2: found 'x ACGG'"), ("1 ACGU", "line 2: probe ACGU occurs")],
)
def test_a_faulty_probe_line_is_named(small, line, message):
    path = small("rnacompete_RNCMPT00001_test", f"1 ACGU\n{line}\n")
    with pytest.raises(UserError) as error:
        registered.measured()
    assert f"{path} {message}" in str(error.value)


def test_identities_lose_their_prefixes_and_come_in_order(small):
    names = ["T3||RNCMPT00003", "T1_1.95d||RNCMPT00001", "T1_1.95d||RNCMPT00002"]
    small("rbp_identity_local", "# " + " ".join(names) + "\n100 30 31\n30 100 12\n31 12 100\n")
    found = registered.identities()
    assert list(found.columns) == list(found.index) == ["RNCMPT00001", "RNCMPT00002", "RNCMPT00003"]
    assert found.loc["RNCMPT00001", "RNCMPT00003"] == 30
    assert found.loc["RNCMPT00003", "RNCMPT00002"] == 31


def test_other_experiments_than_those_of_the_gram_matrix_are_refused(small):
    small("rbp_identity_local", "# T||RNCMPT00001 T||RNCMPT00002 T||RNCMPT00009\n1 0 0\n0 1 0\n0 0 1\n")
    with pytest.raises(UserError, match=r"experiments differ.*RNCMPT0000[39]"):
        registered.identities()
    small("rbp420_profile_correlation", GRAM + "0 0 0\n")
    with pytest.raises(UserError, match=r"\(4, 3\); expected 3 x 3"):
        registered.profile_correlation()


def test_motifs_are_read_block_by_block(small):
    block = "Motif\tRNCMPT0000{}\n#\tAN 10 1.5\nPos\tA\tC\tG\tU\n1\t0.7\t0.1\t0.1\t0.1\t\n2\t0.1\t0.2\t0.3\t0.4\t\n\n\n"
    small("rbp420_pwms", "".join(block.format(i) for i in (2, 1, 3)))
    found = registered.pwms()
    np.testing.assert_array_equal(found["RNCMPT00001"], [[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
    small("rbp420_pwms", "Motif\tRNCMPT00001\n1\t0.7\t0.1\n")
    with pytest.raises(UserError, match="line 2: found"):
        registered.pwms()


def test_an_unknown_vector_source_is_named():
    with pytest.raises(UserError, match="found 'esm'; expected unirep or bert"):
        registered.published_vectors("esm")


# --- the real files


@real
def test_the_420_constructs_hold_the_348_of_the_fasta_file_letter_by_letter():
    constructs, fasta = registered.constructs(), registered.fasta()
    assert (len(constructs), len(fasta)) == (420, 348)
    everyone = dict(zip(constructs.names, constructs.letters, strict=True))
    assert all(everyone[name] == letters for name, letters in zip(fasta.names, fasta.letters, strict=True))
    assert len(set(constructs.letters)) == 392
    assert (min(constructs.lengths), max(constructs.lengths)) == (74, 912)


@real
def test_matrices_vectors_and_lists_fit_each_other():
    gram, identity = registered.profile_correlation(), registered.identities()
    names = list(gram.columns)
    assert names == sorted(names) == list(registered.constructs().names)
    assert gram.shape == identity.shape == (420, 420)
    for matrix, top in ((gram, 1), (identity, 100)):
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_array_equal(np.diag(matrix), top)
    assert np.linalg.eigvalsh(gram.to_numpy()).min() > 0  # correlations of real vectors
    for source, width in (("unirep", 1900), ("bert", 768)):
        assert registered.published_vectors(source).values.shape == (420, width)
    chosen = registered.rrm_kh()
    assert len(chosen) == len(set(chosen)) == 355
    assert set(chosen) <= set(names)


@real
def test_equal_constructs_are_identical_in_the_published_identities():
    """Another file, another order: the same protein must find itself."""
    constructs, identity = registered.constructs(), registered.identities().to_numpy()
    letters = np.array(constructs.letters)
    pairs = np.argwhere(np.triu(letters[:, None] == letters, 1))
    assert len(pairs) >= 28
    assert np.mean(identity[tuple(pairs.T)] > 99.9) > 0.95


@real
def test_equal_constructs_have_equal_published_vectors():
    letters = np.array(registered.constructs().letters)
    pairs = np.argwhere(np.triu(letters[:, None] == letters, 1))
    values = registered.published_vectors("unirep").values
    same = np.abs(values[pairs[:, 0]] - values[pairs[:, 1]]).max(axis=1)
    assert np.mean(same < 1e-3) > 0.95


@real
def test_the_replicate_agreement_is_the_published_ceiling():
    found = registered.replicate_agreement()
    assert len(found) == 421
    assert found.mean() == pytest.approx(0.879, abs=5e-4)
    assert found.median() == pytest.approx(0.906, abs=5e-4)
    missing = set(registered.constructs().names) - set(found.index)
    assert missing == {"RNCMPT00401", "RNCMPT00628"}


@real
def test_motifs_are_probabilities():
    found = registered.pwms()
    assert len(found) == 420
    assert all(np.allclose(matrix.sum(axis=1), 1, atol=1e-5) and matrix.min() > 0 for matrix in found.values())
    assert Counter(map(len, found.values())) == {8: 285, 7: 102, 9: 30, 10: 3}


@real
def test_measured_probes_have_the_stated_statistics_and_agree_with_what_was_published_about_them():
    found = registered.measured()
    assert found.intensities.shape == (2, 59_996)
    for row, low in zip(found.intensities[:, found.probe_set == "A"], (0.10, 0.12), strict=True):
        assert np.mean(row < 0) == pytest.approx(0.5, abs=0.01)
        assert np.mean(row <= -1) == pytest.approx(low, abs=0.005)
        assert ((row - row.mean()) / row.std()).max() == pytest.approx(16, abs=1)
    halves = [_kmer_means(found, found.probe_set == name) for name in "AB"]
    for a, b, full in zip(*halves, registered.replicate_agreement()[list(registered.MEASURED)], strict=True):
        assert 0.4 < np.corrcoef(a, b)[0, 1] < full  # three quarters of each set's probes are absent
    both = np.corrcoef(*_kmer_means(found, np.ones(59_996, dtype=bool)))[0, 1]
    assert both == pytest.approx(registered.profile_correlation().iloc[0, 1], abs=0.03)


@real
def test_a_single_published_motif_explains_its_own_probes_and_not_the_other_ones():
    found, matrices = registered.measured(), registered.pwms()
    scores = scan.log_sum_exp([np.log(4 * matrices[name]) for name in registered.MEASURED], found.rnas.letters)
    r = np.corrcoef(scores, found.intensities)[:2, 2:]
    np.testing.assert_allclose(np.diag(r), [0.30, 0.36], atol=0.03)
    assert max(abs(r[0, 1]), abs(r[1, 0])) < 0.1


def _kmer_means(found, chosen) -> np.ndarray:
    """(2, 16384) mean intensity of the probes that hold each 7-mer."""
    members = kmer_membership([letters for letters, keep in zip(found.rnas.letters, chosen, strict=True) if keep])
    return found.intensities[:, chosen] @ members.T / np.maximum(np.diff(members.indptr), 1)
