"""Data frames of R files: our reader against the package rdata, and the regulons of DoRothEA."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
import rdata

from regulome.errors import UserError
from regulome.perturbation import r_data, regulons

real = pytest.mark.skipif(not os.environ.get("REGULOME_MIRROR"), reason="needs REGULOME_MIRROR, the real data")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"name": ["a", "β", "c d"], "number": [0.5, -1e9, np.pi], "whole": np.array([1, -2, 3], np.int32)}
    )


@pytest.mark.parametrize("packed", ["gzip", "bzip2", "xz"])
def test_a_data_frame_is_read_as_rdata_reads_it(tmp_path, table, packed):
    path = tmp_path / "table.rda"
    rdata.write_rda(path, {"table": table, "other": table[["name"]]}, compression=packed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow = rdata.read_rda(path)["table"].reset_index(drop=True)
    fast = r_data.frame(path, "table")
    assert fast["name"].tolist() == slow["name"].tolist() == table["name"].tolist()
    assert fast["number"].tolist() == slow["number"].tolist() == table["number"].tolist()
    assert fast["whole"].tolist() == slow["whole"].tolist() == table["whole"].tolist()


def test_the_fast_reader_does_read_it(tmp_path, table, monkeypatch):
    path = tmp_path / "table.rda"
    rdata.write_rda(path, {"table": table})
    monkeypatch.setattr(r_data, "read", None)
    assert len(r_data.frame(path, "table")) == 3


def test_factors_are_left_to_rdata(tmp_path, table):
    path = tmp_path / "table.rda"
    rdata.write_rda(path, {"table": table.astype({"name": "category"})})
    assert r_data.frame(path, "table")["name"].astype(str).tolist() == table["name"].tolist()


def test_missing_objects_and_broken_files_are_named(tmp_path, table):
    path = tmp_path / "table.rda"
    rdata.write_rda(path, {"table": table})
    with pytest.raises(UserError, match=r"table\.rda: no object 'tabel'; found table"):
        r_data.frame(path, "tabel")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"table\.rda: not an R data file, or damaged"):
        r_data.frame(path, "table")
    with pytest.raises(UserError, match=r"none\.rda: no such file"):
        r_data.frame(tmp_path / "none.rda", "table")


@real
def test_links_of_dorothea():
    links = regulons.dorothea(levels="ABCDE")
    assert len(links) == 454504
    sure = links[links["confidence"].isin(list("ABC"))]
    assert len(sure) == 13223
    assert set(sure["sign"]) == {-1, 1}
    stat1 = sure[sure["source"] == "STAT1"].set_index("target")["sign"]
    assert stat1["IRF1"] == 1, "interferon's first target"


def test_unknown_levels_are_refused():
    with pytest.raises(UserError, match="levels is 'ABF'; expected letters out of ABCDE"):
        regulons.dorothea(levels="ABF")
