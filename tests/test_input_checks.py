"""Wrong input files of the real steps are refused while earlier outputs still exist."""

import pytest

from regulome import notebook, paths
from regulome.errors import UserError

SLUG = "35_gap_genes"


@pytest.fixture
def earlier(tmp_path, monkeypatch):
    """Outputs of an earlier run, and a cache that holds nothing."""
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path / "figures"))
    monkeypatch.setenv("REGULOME_BUILD", str(tmp_path / "build"))
    monkeypatch.setenv("REGULOME_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REGULOME_MIRROR", raising=False)
    results = []
    for profile in paths.PROFILES:
        results.append(paths.figures(profile, SLUG) / "results.csv")
        results[-1].parent.mkdir(parents=True)
        results[-1].write_text("earlier\n")
    return results


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,hb,Kr,kni,gt\n0.1,0.2,0.3,0.4,0.5\n0.2,0.2,bad,0.4,0.5\n", "row 3, column 'Kr': found 'bad'"),
        ("x,hb,Kr,kni\n0.1,0.2,0.3,0.4\n", "missing column 'gt'"),
    ],
)
def test_a_corrupted_profile_leaves_earlier_outputs(tmp_path, earlier, text, message):
    mine = tmp_path / "mine.csv"
    mine.write_text(text)
    with pytest.raises(UserError) as error:
        notebook.run(SLUG, "mini", {"profile_source": str(mine)})
    assert message in str(error.value) and str(mine) in str(error.value)
    assert all(path.read_text() == "earlier\n" for path in earlier)


def test_a_time_series_with_a_hole_leaves_earlier_outputs(tmp_path, earlier):
    mine = tmp_path / "series.csv"
    mine.write_text("x,time,hb,Kr,kni,gt\n0.1,0,1,0,0,0\n0.2,0,1,0,0,0\n0.1,1,1,0,0,0\n")
    with pytest.raises(UserError, match="time series: class 1"):
        notebook.run(SLUG, "mini", {"series_source": str(mine)})
    assert all(path.read_text() == "earlier\n" for path in earlier)


def test_a_mirror_with_other_content_leaves_earlier_outputs(tmp_path, earlier):
    wrong = tmp_path / "mirror" / "flyex_gap_nc14_t7" / "FlyEX_nc14T7_gap-genes.csv"
    wrong.parent.mkdir(parents=True)
    wrong.write_text("0,0,0,0,0\n")
    with pytest.raises(UserError, match="wrong content for 'flyex_gap_nc14_t7'") as error:
        notebook.run(SLUG, "paper", {"data_mirror": str(tmp_path / "mirror")})
    assert str(wrong) in str(error.value)
    assert all(path.read_text() == "earlier\n" for path in earlier)


def test_files_that_have_yet_to_be_downloaded_are_no_mistake(earlier):
    assert notebook.preflight(SLUG, "paper")["profile_source"] == "flyex_gap_nc14_t7"
