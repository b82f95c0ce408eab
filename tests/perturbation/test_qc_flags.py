"""Quality measures against direct sums, limits and flags against their definitions, doublets among known ones."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from regulome.errors import UserError
from regulome.perturbation import qc_flags

GENES = ("MT-CO1", "mt-Nd1", "RPS3", "RPL7", "RPN1", "HBA1", "HBP1", "HBEGF", "ACTB", "MTOR")


@pytest.fixture
def counts() -> csr_matrix:
    values = np.random.default_rng(0).poisson(2.0, (60, len(GENES))).astype(np.float32)
    values[7] = 0  # an empty cell
    return csr_matrix(values)


def test_measures_equal_direct_sums(counts):
    found = qc_flags.measures(counts, GENES, "cpu")
    dense, total = counts.toarray(), counts.toarray().sum(1)
    share = {"pct_mt": [0, 1], "pct_ribo": [2, 3], "pct_hb": [5, 7]}  # RPN1, HBP1 and MTOR are none of them
    np.testing.assert_allclose(found["umi"], total)
    np.testing.assert_allclose(found["n_genes"], (dense > 0).sum(1))
    for name, columns in share.items():
        expected = 100 * dense[:, columns].sum(1) / np.maximum(total, 1)
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def test_a_family_that_is_not_measured_has_no_number_and_no_limit(counts):
    found = qc_flags.measures(counts[:, 8:], GENES[8:], "cpu")
    assert found[["pct_mt", "pct_ribo", "pct_hb"]].isna().all(axis=None)
    assert set(qc_flags.limits(found)["measure"]) == {"umi", "n_genes"}


def test_limits_are_medians_and_unscaled_mads():
    values = pd.DataFrame({"umi": [1.0, 2, 4, 8, 16], "n_genes": 3.0, "pct_mt": [0, 0, 1, 5, 9], "pct_ribo": np.nan})
    found = qc_flags.limits(values.assign(pct_hb=np.nan), (3.0,)).set_index("measure")
    assert found.loc["umi", ["median", "mad", "limit"]].tolist() == [4, 3, 4 - 3 * 3]
    assert found.loc["pct_mt", ["median", "mad", "limit"]].tolist() == [1, 1, 4]
    assert found.loc["n_genes", "limit"] == -np.inf, "cells that are all alike are not flagged"


def test_flags_are_up_on_the_bad_side_only():
    values = pd.DataFrame({name: np.arange(101.0) for name in qc_flags.SIDES})
    limits = qc_flags.limits(values, (1.0, 1.5))  # median 50, MAD 25
    found = qc_flags.judge(values, limits, 1.0)
    assert list(found) == ["low_umi", "low_n_genes", "high_pct_mt", "high_pct_ribo", "high_pct_hb"]
    assert np.flatnonzero(found["low_umi"]).tolist() == list(range(25))
    assert np.flatnonzero(found["high_pct_hb"]).tolist() == list(range(76, 101))
    assert qc_flags.judge(values, limits, 1.5).sum().tolist() == [13, 13, 13, 13, 13]


def test_a_cell_fails_if_any_flag_is_up(counts):
    found = qc_flags.flags(counts, GENES, k=2.0, device="cpu")
    up = found[[name for name in found if name.startswith(("low_", "high_"))]]
    assert found["fail"].tolist() == up.any(axis=1).tolist()
    assert found["low_umi"][7] and 0 < found["fail"].sum() < len(found)
    assert "doublet" not in found, "ten genes are too few to look for doublets"
    shares = qc_flags.summary(found).set_index("flag")
    assert shares.loc["any", "cells"] == found["fail"].sum()


def test_doublets_of_different_cell_types_are_found():
    generator = np.random.default_rng(1)
    mean = np.where(np.arange(300) // 75 == np.arange(4)[:, None], 6.0, 0.3)  # four types with 75 markers each
    singles = np.vstack([generator.poisson(each, (100, 300)) for each in mean])
    first, second = np.triu_indices(4, 1)
    doublets = generator.poisson((mean[first] + mean[second])[np.arange(18) % 6])
    counts = csr_matrix(np.vstack([singles, doublets]).astype(np.float32))
    found = qc_flags.doublet(counts, [f"G{i}" for i in range(300)], "cpu", seed=0)
    assert found[400:].mean() > 0.8
    assert found[:400].mean() < 0.05


def test_the_valley_lies_between_two_groups_and_one_group_has_none():
    generator = np.random.default_rng(2)
    low, high = generator.normal(0.1, 0.02, 300), generator.normal(0.5, 0.05, 200)
    assert low.max() < qc_flags.valley(np.concatenate([low, high])) < high.min()
    assert qc_flags.valley(low) == np.inf


def test_wrong_settings_are_refused(counts):
    with pytest.raises(UserError, match="doublets is 'yes'; expected one of auto, on, off"):
        qc_flags.flags(counts, GENES, doublets="yes")
    with pytest.raises(UserError, match="k is 0; expected a number of MADs above 0"):
        qc_flags.flags(counts, GENES, k=0, device="cpu")
    with pytest.raises(UserError, match=r"doublets cannot be looked for in 3 cells x 10 genes"):
        qc_flags.flags(counts[:3], GENES, device="cpu", doublets="on")
