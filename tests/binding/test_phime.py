"""Structure profiles: against enumeration, the full partition function and samples; workers, cache, files."""

import builtins
import math
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from regulome.binding import boltzmann, phime, phime_checks, structure_file
from regulome.binding.phime_cache import ProfileCache
from regulome.binding.sequences import Sequences, sequences
from regulome.errors import UserError

RNA = pytest.importorskip("RNA")
PROBE = "AGAAGGCACCAACAGAAGCUCUAACCAGACUAGCCACC"
BRANCHED = "GGGCGAAAGCACGCGAAAGCGACCC"  # two hairpins inside a helix: a multiloop


def loops(structure: str) -> str:
    """Channel of every base of a dot-bracket structure, straight from the definitions."""
    partner, stack = {}, []
    for i, mark in enumerate(structure):
        if mark == "(":
            stack.append(i)
        elif mark == ")":
            partner[i], partner[stack[-1]] = stack[-1], i
            stack.pop()
    found = []
    for i, mark in enumerate(structure):
        if mark != ".":
            found.append("P")
            continue
        left = i
        while left >= 0 and (structure[left] != "(" or partner[left] < i):
            left -= 1  # the innermost pair around base i opens here
        if left < 0:
            found.append("E")
            continue
        inner, place = 0, left + 1
        while place < partner[left]:
            if structure[place] == "(":
                inner, place = inner + 1, partner[place]
            place += 1
        found.append("HI"[inner] if inner < 2 else "M")
    return "".join(found)


def enumerated(letters: str) -> np.ndarray:
    """Profile from all structures of an RNA and their energies, one by one."""
    ensemble = RNA.fold_compound(letters)
    total, result = 0.0, np.zeros((len(letters), 5))
    for solution in ensemble.subopt(10_000):  # all within 100 kcal/mol
        weight = math.exp(-ensemble.eval_structure(solution.structure) / (0.00198717 * 310.15))
        total += weight
        for i, channel in enumerate(loops(solution.structure)):
            result[i, phime.NAMES.index(channel)] += weight
    return result / total


@pytest.fixture(scope="module")
def probes():
    return phime_checks.random_letters(24, [5, 12, 30, 38, 41], seed=4)


@pytest.mark.parametrize("letters", [BRANCHED, "GGGAAACUCCAGGAC", "GGCAUUUUGACCAAC", "GGGAANCCNCAAGG"])
def test_profile_is_the_boltzmann_average_over_every_structure(letters):
    found = phime.profile(letters, np.float64)
    np.testing.assert_allclose(found, enumerated(letters), atol=1e-4)  # its weights are smoothed where energies jump
    assert letters != BRANCHED or found[:, phime.NAMES.index("M")].max() > 0.05


def test_paired_channel_is_that_of_the_full_partition_function(probes):
    for letters in probes.letters:
        np.testing.assert_allclose(phime.profile(letters, np.float64)[:, 0], boltzmann.paired(letters), atol=1e-12)


def test_whole_molecule_is_described_where_it_is_longer_than_a_probe():
    letters = phime_checks.random_letters(1, [150], seed=1).letters[0]
    found = phime.profile(letters, np.float64)
    np.testing.assert_allclose(found[:, 0], boltzmann.paired(letters), atol=1e-9)


@pytest.mark.parametrize("letters", [PROBE, phime_checks.TRNA])
def test_every_channel_is_the_share_of_boltzmann_samples(letters):
    count = 4000
    exact = phime.profile(letters, np.float64)
    sampled = boltzmann.estimate(letters, count, seed=7)
    assert np.abs(exact - sampled).max() < 4.5 * 0.5 / math.sqrt(count)
    z = boltzmann.standard_scores(exact, sampled, count)
    assert np.nanmax(np.abs(z)) < 4.5


def test_loops_of_samples_are_those_of_the_definitions():
    structures = [*boltzmann.sample(phime_checks.TRNA, 30, seed=1), "." * 76, "((((...)))..(.(...)))" + "." * 55]
    expected = np.array([[phime.NAMES.index(c) for c in loops(s)] for s in structures])
    assert {"H", "I", "M", "E"} <= {c for s in structures for c in loops(s)}
    np.testing.assert_array_equal(boltzmann.channels(structures), expected)
    np.testing.assert_array_equal([boltzmann.loops(s) for s in structures], expected)


def test_equal_seeds_draw_equal_samples():
    assert boltzmann.sample(PROBE, 5, seed=3) == boltzmann.sample(PROBE, 5, seed=3)
    assert boltzmann.sample(PROBE, 5, seed=3) != boltzmann.sample(PROBE, 5, seed=4)


def test_multiloops_are_rare_in_probes_and_common_in_a_trna(probes):
    multiloop = phime.NAMES.index("M")
    assert phime.profiles(probes, progress=False)[:, :, multiloop].mean() < 0.01
    assert phime.profile(phime_checks.TRNA)[:, multiloop].sum() > 3


def test_result_does_not_depend_on_the_number_of_processes(monkeypatch, probes):
    alone = phime.profiles(probes, workers=1, progress=False)
    monkeypatch.setattr(phime, "CHUNK", 5)
    np.testing.assert_array_equal(phime.profiles(probes, workers=2, progress=False), alone)


def test_rows_keep_the_order_and_padding_is_zero(probes):
    turned = probes.take([7, 0, 7, 3, 1])
    found = phime.profiles(turned, progress=False)
    for row, letters in zip(found, turned.letters, strict=True):
        np.testing.assert_array_equal(row[: len(letters)], phime.profile(letters))
        assert not row[len(letters) :].any()
    assert found.dtype == np.float32 and found.shape == (5, max(turned.lengths), 5)


def test_rows_are_distributions(probes):
    found = phime.profiles(probes, progress=False)
    for row, length in zip(found, probes.lengths, strict=True):
        np.testing.assert_allclose(row[:length].sum(1), 1, atol=1e-6)
    assert found.min() >= 0


@pytest.mark.parametrize("letters", ["A", "GC", "GGC", "GGCC"])
def test_rnas_too_short_to_pair_are_exterior(letters):
    np.testing.assert_array_equal(phime.profile(letters), np.eye(5, dtype=np.float32)[[4] * len(letters)])


def test_thymine_and_lower_case_are_read_as_rna():
    np.testing.assert_array_equal(phime.profile("ggatacgttttatcc"), phime.profile("GGAUACGUUUUAUCC"))


@pytest.mark.parametrize(("letters", "found"), [("GGXCC", "'X'"), ("", "nothing"), ("GG-CC", "'-'")])
def test_other_letters_are_refused(letters, found):
    with pytest.raises(UserError, match=f"found .*{found}"):
        phime.profile(letters)


def test_number_of_processes_and_size_are_checked(probes, monkeypatch):
    with pytest.raises(UserError, match="workers: found 0"):
        phime.profiles(probes, workers=0)
    monkeypatch.setattr(phime, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="24 profiles of up to 41 bases"):
        phime.profiles(probes)


def test_without_viennarna_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "RNA":
            raise ImportError("no module")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match="pip install ViennaRNA"):
        phime.profile(PROBE)


def test_the_module_is_imported_without_viennarna():
    code = "import sys; import regulome.binding.phime, regulome.binding.knockout_scan; assert 'RNA' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- cache and file


def test_cached_profiles_are_those_computed_and_are_not_computed_again(tmp_path, probes, monkeypatch):
    expected = phime.profiles(probes, progress=False)
    half, path = probes.take(range(10)), tmp_path / "new" / "profiles.sqlite"
    phime.profiles(half, cache=path, progress=False)
    folded = []
    real = phime._profile
    monkeypatch.setattr(phime, "_profile", lambda letters, *rest: folded.append(letters) or real(letters, *rest))
    np.testing.assert_array_equal(phime.profiles(probes, cache=path, progress=False), expected)
    assert set(folded) == set(probes.letters[10:])
    folded.clear()
    np.testing.assert_array_equal(phime.profiles(probes, cache=path, progress=False), expected)
    assert not folded and len(ProfileCache(path, phime.software())) == len(set(probes.letters))


def test_another_version_of_the_software_finds_nothing(tmp_path):
    ProfileCache(tmp_path / "c", "ViennaRNA 1").put({"ACG": np.ones((3, 5), np.float32)})
    assert list(ProfileCache(tmp_path / "c", "ViennaRNA 1").get(["ACG", "A"])) == ["ACG"]
    assert ProfileCache(tmp_path / "c", "ViennaRNA 2").get(["ACG"]) == {}


def test_an_addition_that_fails_leaves_the_cache_as_it_was(tmp_path):
    cache = ProfileCache(tmp_path / "c", "test")
    cache.put({"AC": np.zeros((2, 5), np.float32)})
    with pytest.raises(RuntimeError), cache._open() as database:
        database.execute("DELETE FROM profiles")
        raise RuntimeError("killed here")
    assert len(cache) == 1


def test_several_runs_add_to_one_cache(tmp_path):
    def add(first: int) -> None:
        cache = ProfileCache(tmp_path / "c", "test")
        for i in range(first, first + 10):
            cache.put({"A" * (i + 1): np.full((i + 1, 5), i, np.float32)})

    runs = [threading.Thread(target=add, args=(first,)) for first in (0, 5, 10)]
    [run.start() for run in runs]
    [run.join() for run in runs]
    cache = ProfileCache(tmp_path / "c", "test")
    assert len(cache) == 20 and (cache.get(["A" * 8])["A" * 8] == 7).all()


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no database, but long enough to be looked at as one" * 20)
    with pytest.raises(UserError, match="no cache of structure profiles"):
        ProfileCache(tmp_path / "notes.txt", "test")
    with pytest.raises(UserError, match="cannot be used"):
        ProfileCache(tmp_path, "test")


def test_a_damaged_profile_is_reported(tmp_path):
    cache = ProfileCache(tmp_path / "c", "test")
    cache.put({"ACGU": np.zeros((4, 5), np.float32)})
    with sqlite3.connect(tmp_path / "c") as database:
        database.execute("UPDATE profiles SET profile = ?", (b"12345678",))
    database.close()
    with pytest.raises(UserError, match="damaged"):
        cache.get(["ACGU"])


def test_structure_file_gives_profiles_by_sequence_in_any_order(tmp_path, probes):
    values = phime.profiles(probes, progress=False)
    structure_file.save(tmp_path / "structure.npz", probes, values, "test")
    some = probes.take([9, 2, 2, 0])
    found = structure_file.load(tmp_path / "structure.npz", some)
    np.testing.assert_array_equal(found, values[[9, 2, 2, 0], : max(some.lengths)])
    once = (tmp_path / "structure.npz").read_bytes()
    structure_file.save(tmp_path / "structure.npz", probes, values, "test")
    assert (tmp_path / "structure.npz").read_bytes() == once


def test_structure_file_of_other_rnas_or_other_content_is_refused(tmp_path, probes):
    path = tmp_path / "structure.npz"
    with pytest.raises(UserError, match="No such file"):
        structure_file.load(path, probes)
    structure_file.save(path, probes, phime.profiles(probes, progress=False), "test")
    other = sequences(["ACGUACGUAC", probes.letters[0]], "rna", ["new", "old"])
    with pytest.raises(UserError, match="no structure for 1 of 2 RNAs, the first of them 'new'"):
        structure_file.load(path, other)
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="not a file of structure profiles"):
        structure_file.load(path, probes)


# --- tables of the notebook


def test_shares_do_not_count_padding():
    rnas = Sequences(("a", "b"), ("AAAA", "GGGGAAAACCCC"), "rna")
    values = phime.profiles(rnas, progress=False)
    table = phime_checks.share_table(rnas, values).set_index("channel")
    assert table["share"].sum() == pytest.approx(1)
    expected = (4 + phime.profile(rnas.letters[1])[:, 4].sum()) / 16
    assert table.loc["E", "share"] == pytest.approx(expected, rel=1e-6)
    assert (table["low"] <= table["share"]).all() and (table["share"] <= table["high"]).all()


def test_interval_of_a_share_holds_the_share_of_many_rnas():
    many = phime_checks.random_letters(200, [30, 38], seed=8)
    values = phime.profiles(many, progress=False)
    whole = phime_checks.share_table(many, values).set_index("channel")
    inside = 0
    for start in range(0, 200, 20):
        rows = range(start, start + 20)
        part = phime_checks.share_table(many.take(rows), values[start : start + 20]).set_index("channel")
        inside += part.loc["P", "low"] <= whole.loc["P", "share"] <= part.loc["P", "high"]
    assert inside >= 7  # 95 % of ten intervals; chance of fewer: 0.1 %
