"""Filters by summary statistics and by the expression of the target."""

import os

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from regulome import data
from regulome.errors import UserError
from regulome.perturbation import on_target, strength

real = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs REGULOME_MIRROR, the real data")


def statistics() -> pd.DataFrame:
    rows = [
        ("1_AAA_P1_ENSG00000000001", 51, -0.3, 26),
        ("2_BBB_P1P2_ENSG00000000002", 50, -0.9, 200),  # not more than 50 genes
        ("3_CCC_P1_ENSG00000000003", 500, -0.29, 200),  # too weak a knockdown
        ("4_DDD_P1_ENSG00000000004", 500, None, 200),  # not measured
        ("5_EEE_P1_ENSG00000000005", 500, -0.9, 25),  # not more than 25 cells
        ("6_EEE_P2_ENSG00000000005", 500, -0.9, 101),  # its other promoter
        ("10_non-targeting_non-targeting_non-targeting", 0, None, 99),
        ("ENSG00000000007", 80, -0.5, 100),
    ]
    return pd.DataFrame(rows, columns=list(strength.COLUMNS))


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_the_published_filters(tmp_path, suffix):
    path = tmp_path / f"summary{suffix}"
    statistics().to_csv(path) if suffix == ".csv" else statistics().to_excel(path)
    table = strength.strong(strength.read_summary(path))
    assert strength.genes(table) == {"AAA", "EEE", "ENSG00000000007"}
    assert strength.count(table, "small")["genes"].tolist() == [6, 5, 3, 3, 1]


def test_faults_of_the_file_are_named(tmp_path):
    path = tmp_path / "summary.csv"
    statistics().rename(columns={"percent knockdown": "percent_knockdown"}).to_csv(path)
    with pytest.raises(UserError, match=r"summary\.csv: no column 'percent knockdown' \(did you mean 'percent_knock"):
        strength.read_summary(path)
    broken = statistics().astype({"number of cells (filtered)": object})
    broken.iloc[1, 3] = "many"
    broken.to_csv(path)
    with pytest.raises(UserError, match=r"row 3, column 'cells': found 'many'; expected a number"):
        strength.read_summary(path)
    with pytest.raises(UserError, match=r"none\.xlsx: no such file"):
        strength.read_summary(tmp_path / "none.xlsx")
    (tmp_path / "text.xlsx").write_text("no")
    with pytest.raises(UserError, match=r"text\.xlsx: not an Excel or CSV file"):
        strength.read_summary(tmp_path / "text.xlsx")
    with pd.ExcelWriter(tmp_path / "two.xlsx") as book:
        statistics().to_excel(book, sheet_name="K562_day6")
        statistics().to_excel(book, sheet_name="RPE1")
    with pytest.raises(
        UserError, match=r"no sheet 'K562_day5' \(did you mean 'K562_day6'\?\); expected one of K562_day6"
    ):
        strength.read_summary(tmp_path / "two.xlsx", "K562_day5")


@real
def test_strong_perturbations_of_the_published_files():
    k562 = strength.strong(strength.read_summary(data.fetch("replogle2022_summary_stats"), "K562"))
    assert len(k562) == 2285 - 109, "the sheet has 109 controls"
    assert strength.count(k562, "K562")["genes"].tolist()[-2:] == [1092, 721]
    adamson = strength.strong(strength.read_summary(data.fetch("adamson2016_summary_stats")))
    assert strength.count(adamson, "Adamson")["genes"].tolist() == [89, 77, 71, 69, 66]


def test_cells_stay_whose_target_is_low_and_all_cells_of_unmeasured_targets():
    counts = np.array([[n, 100 - n] for n in range(11)] + [[0, 100], [1, 99], [2, 98], [50, 50]], float)
    label = np.array(["control"] * 11 + ["A", "A", "A", "X"], object)
    stays, table = on_target.keep(csr_matrix(counts), ("A", "B"), label, 10)
    assert stays.tolist() == [True] * 13 + [False, True]
    row = table.set_index("perturbation").loc["A"]
    assert row["threshold"] == pytest.approx(0.01)
    assert (row["stay"], row["control_share"]) == (2, pytest.approx(2 / 11))
    assert not table.set_index("perturbation").loc["X", "measured"]


def test_raw_counts_select_cells_with_few_umi_and_shares_do_not():
    generator = np.random.default_rng(0)
    depth = np.where(np.arange(4000) % 2, 50, 500)
    counts = csr_matrix(generator.binomial(depth[:, None], [[0.3, 0.7]]).astype(float))
    label = np.where(np.arange(4000) < 2000, "control", "A").astype(object)
    shallow = {values: [] for values in on_target.VALUES}
    for values in on_target.VALUES:
        stays, _ = on_target.keep(counts, ("A", "B"), label, 10, values)
        shallow[values] = (depth[2000:][stays[2000:]] == 50).mean()
    assert shallow["counts"] == 1
    assert shallow["normalised"] < 0.99


def test_both_targets_of_a_combination_have_to_be_low():
    counts = csr_matrix(np.array([[5, 5, 0], [5, 5, 0], [0, 9, 1], [9, 0, 1], [0, 0, 10]], float))
    stays, _ = on_target.keep(counts, ("A", "B", "C"), np.array(["control"] * 2 + ["A+B"] * 3, object), 10)
    assert stays.tolist() == [True, True, False, False, True]


def test_wrong_settings_of_the_filter_are_refused():
    with pytest.raises(UserError, match="percentile 100, values 'normalised'; expected 0 < x < 100"):
        on_target.keep(csr_matrix((2, 2)), ("A", "B"), np.array(["control", "A"]), 100)
