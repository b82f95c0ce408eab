"""Networks as CSV and GraphML."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from regulome.errors import UserError
from regulome.perturbation import export

GENES = ("A", "B", "C", "X")
SCORES = np.array([[np.nan, 0.25, -3, 1], [0, np.nan, 0, 2], [np.nan] * 4, [np.nan] * 4])


@pytest.fixture
def written(tmp_path):
    distance = np.where(SCORES == 2, np.nan, 0.125)
    table = export.network_table(SCORES, GENES, 10, attributes={"wasserstein": distance})
    return table, export.write(tmp_path, "network", table, GENES, 3, "mean difference")


def test_the_csv_gives_the_same_edges(written):
    table, (csv, _) = written
    pd.testing.assert_frame_equal(export.read_csv(csv), table[list(export.COLUMNS)])
    assert pd.read_csv(csv)["wasserstein"].isna().tolist() == [False, True, False, False]


def test_networkx_reads_the_same_network_from_graphml(written):
    table, (_, path) = written
    found = nx.read_graphml(path)
    expected = export.graph(table, GENES, 3, "mean difference")
    assert nx.is_directed(found) and dict(found.nodes(data=True)) == dict(expected.nodes(data=True))
    assert {(a, b): d for a, b, d in found.edges(data=True)} == {(a, b): d for a, b, d in expected.edges(data=True)}
    assert found.graph["method"] == "mean difference"
    assert found.edges["A", "C"] == {"rank": 1, "sign": -1, "score": -3.0, "wasserstein": 0.125}
    assert "wasserstein" not in found.edges["B", "X"]  # undefined
    assert found.nodes["X"] == {"kind": "extended"} and found.nodes["A"] == {"kind": "perturbed"}


def test_the_same_network_gives_the_same_bytes(written, tmp_path):
    table, files = written
    again = export.write(tmp_path / "again", "network", table, GENES, 3, "mean difference")
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,A,B,0,0.5", "row 2: found sign 0; expected 1 or -1"),
        ("1,A,B,1,0.5\n2,A,B,1,0.4", "row 3: A on B appears twice"),
        ("1,A,B,1,strong", "column 'score': found 'strong'"),
    ],
)
def test_wrong_rows_are_named(tmp_path, rows, message):
    path = tmp_path / "edges.csv"
    path.write_text(f"rank,regulator,target,sign,score\n{rows}\n")
    with pytest.raises(UserError, match=message):
        export.read_csv(path)


def test_a_file_that_is_no_graphml_is_refused(tmp_path):
    (tmp_path / "x.graphml").write_text("no")
    with pytest.raises(UserError, match="not a GraphML file"):
        export.read_graphml(tmp_path / "x.graphml")
