"""Reading counts of single cells: what is accepted, and the one message for each mistake."""

import numpy as np
import pytest

from regulome import data
from regulome.errors import UserError
from regulome.stochastic import smfish, synthetic_counts
from regulome.stochastic.counts import Cells, read_counts
from regulome.stochastic.network import Event, Parameter, StateTransitionNetwork

NETWORK = StateTransitionNetwork(
    name="expression",
    states=("ON", "mRNA", "Protein"),
    events=(Event("make", {"mRNA": 1}, "k * ON"), Event("decay", {"mRNA": -1}, "mRNA")),
    parameters=(Parameter("k", 1, 10),),
    initial={"ON": 1},
    bounds={"ON": 2, "mRNA": 50, "Protein": 100},
    observed=("mRNA",),
)


def write(folder, text, name="cells.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_columns_are_matched_by_name_and_equal_cells_are_merged(tmp_path):
    cells = read_counts(write(tmp_path, "cell,Protein,mRNA\n1,7,3\n2,7,3\n3,8,0\n"), NETWORK)
    assert cells.names == ("mRNA", "Protein")
    assert cells.rows.tolist() == [[0, 8], [3, 7]]
    assert cells.multiplicities.tolist() == [1, 2]
    assert cells.total == 3


def test_one_column_without_header_is_the_observed_species(tmp_path):
    cells = read_counts(write(tmp_path, "6\n11\n6\n"), NETWORK)
    assert cells.names == ("mRNA",)
    assert cells.expanded().ravel().tolist() == [6, 6, 11]


def test_columns_can_be_named(tmp_path):
    cells = read_counts(write(tmp_path, "RNA_total,mRNA\n4,9\n5,9\n"), NETWORK, {"mRNA": "RNA_total"})
    assert cells.rows.ravel().tolist() == [4, 5]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("mRNA\n3\nnan\n", None, r"cells\.csv row 3, column 'mRNA': found 'nan'"),
        ("mRNA\n3\n\n4\n", None, r"cells\.csv row 3: blank line"),
        ("mRNA,Protein\n3,1\n,4\n", None, r"row 3, column 'mRNA': found ''"),
        ("mRNA\n3\n-1\n", None, r"row 3, column 'mRNA': found -1; expected a number of at least 0"),
        ("mRNA\n3\n2.5\n", None, r"row 3, column 'mRNA': found 2\.5, expected a whole number"),
        ("3\n2.5\n", None, r"row 2, column 'mRNA': found 2\.5, expected a whole number"),
        ("mRNA\n3\n50\n", None, r"row 3, column 'mRNA': found 50, expected at most 49.*above_bound: clip"),
        ("mRNA\n", None, "no data rows after the header"),
        ("", None, "empty"),
        ("gene,other\n3,4\n", None, "no column is a species of the network; found gene, other"),
        ("1,2\n3,4\n", None, "found 2 numbers, expected a header"),
        ("a\n3\n", {"mRMA": "a"}, "records no species 'mRMA'.*did you mean 'mRNA'"),
        ("a\n3\n", {"mRNA": "b"}, "missing column 'b'"),
        ("3\n4\n", {"mRNA": "b"}, r"one column without header.*expected \{SPECIES: 1\}"),
    ],
)
def test_mistakes_name_file_line_and_column(tmp_path, text, columns, message):
    with pytest.raises(UserError, match=message):
        read_counts(write(tmp_path, text), NETWORK, columns)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.csv: no such file"):
        read_counts(tmp_path / "nowhere.csv", NETWORK)


def test_counts_above_the_bound_can_be_put_into_the_last_bin(tmp_path):
    cells = read_counts(write(tmp_path, "mRNA\n3\n80\n49\n"), NETWORK, above_bound="clip")
    assert cells.expanded().ravel().tolist() == [3, 49, 49]


def test_subsets_and_splits_keep_the_cells():
    cells = Cells.of(["a"], np.random.default_rng(0).poisson(5, 300))
    assert cells.sample(120, np.random.default_rng(1)).total == 120
    one, two = cells.split(np.random.default_rng(1), 0.3)
    assert (one.total, two.total) == (90, 210)
    assert sorted([*one.expanded().ravel(), *two.expanded().ravel()]) == cells.expanded().ravel().tolist()
    with pytest.raises(UserError, match="asked for 301 cells"):
        cells.sample(301, np.random.default_rng(1))


def test_the_committed_synthetic_counts_are_those_of_the_stated_seed(tmp_path):
    for path in synthetic_counts.make(tmp_path):
        committed = synthetic_counts.paths.mini_data() / "inference" / path.name
        assert path.read_bytes() == committed.read_bytes()


def test_synthetic_samples_have_the_form_of_the_real_ones():
    samples = smfish.samples("synthetic")
    assert [s.copies for s in samples.values()] == [1, 2, 1, 1]
    for sample in samples.values():
        assert sample.zero_truncated != sample.cells.has_empty


def test_smfish_keys_are_registered_with_what_the_report_cites():
    registered = data.load_registry()
    for key in [*smfish.keys("smfish"), *smfish.CIRCADIAN]:
        assert registered[key].licence in ("MIT", "BSD-3-Clause", "Apache-2.0")


@pytest.mark.parametrize(("replicate", "phase"), [(5, "all"), (1, "s")])
def test_unknown_gal10_samples_are_refused(replicate, phase):
    with pytest.raises(UserError, match="GAL10"):
        smfish.gal10(replicate, phase)


@pytest.mark.skipif(data.local(smfish.DUSP1) is None, reason="the smFISH files are neither cached nor mirrored")
def test_real_counts_have_the_sizes_and_means_that_are_known():
    first, second = smfish.dusp1(1), smfish.dusp1(2)
    assert (first.total, second.total) == (441, 349)
    assert round(float(first.distribution.mean[0])) == 60
    assert round(float(second.distribution.mean[0])) == 43
    for sample in smfish.samples("smfish").values():
        if sample.gene == "GAL10":
            assert sample.cells.rows.min() == 1  # zeros absent
            assert 7.5 < sample.cells.distribution.mean[0] < 14
    bmal1, areas = smfish.circadian("circadian_smfish_bc")
    assert bmal1.total == len(areas) == 3160
