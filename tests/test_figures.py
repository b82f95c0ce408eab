"""Figures and outputs: the same bytes from every process, honest verdicts, a complete manifest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.image as mpl_image
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from regulome import figures, style
from regulome.errors import UserError

COLUMNS = "id,quantity,ours,low,high,published,tolerance,unit,verdict,source,section,function,note"

SCRIPT = """
import sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from regulome import figures
from regulome.network_drawing import draw_network

figures.style()
fig, axs = plt.subplots(1, 3, figsize=(figures.DOUBLE, 2))
x = np.linspace(0, 1, 50)
axs[0].plot(x, np.sin(9 * x), label="$g_1$")
axs[0].set_xlabel("λ (µm)")
axs[0].legend()
figures.panel_letter(axs[0], "a")
figures.heatmap_signed(pd.DataFrame([[1.5, -2.0], [0.0, 0.5]], ["hb", "Kr"], ["hb", "Kr"]), axs[1], label="Δ")
pairs = {"regulator": ["I", "g", "h", "g"], "target": ["g", "g", "g", "h"]}
links = pd.DataFrame(pairs | {"sign": [1, -1, -1, 1]})
draw_network(links, axs[2], legend=True)
out = figures.Output("31_adaptation", "mini", parameters={"seed": 1, "rates": np.array([0.5, 1.0])})
out.save(fig, pd.DataFrame({"x": x, "y": np.sin(9 * x)}), "fig1", caption="One.", section="First")
out.table(links, "links", caption="Two.", section="Second")
out.compare("a", "first", ours=1 / 3, published=0.33, tolerance=0.01, low=0.3, high=0.4)
out.compare("b", "second", ours=2.0, note="hidden data")
out.close()
"""


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path))
    return figures.Output("31_adaptation", "mini", parameters={"seed": 1})


@pytest.fixture
def figure():
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1])
    yield fig
    plt.close(fig)


def table():
    return pd.DataFrame({"x": [0, 1], "y": [0.0, 1 / 3]})


def content(folder):
    return {file.name: file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def test_two_processes_write_the_same_bytes(tmp_path):
    found = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        environment = os.environ | {"REGULOME_OUTPUT": str(folder), "PYTHONHASHSEED": str(number)}
        environment["TZ"] = ("UTC", "Asia/Tokyo")[number - 1]
        subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, cwd=tmp_path)
        found.append(content(folder))
    names = ["fig1.csv", "fig1.pdf", "fig1.png", "links.csv", "manifest.json", "results.csv"]
    assert sorted(found[0]) == names
    assert found[0] == found[1]


def test_no_date_and_no_program_name_is_in_the_files(tmp_path, figure):
    png, pdf, _ = figures.save(figure, table(), "fig", tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG\r\n")
    assert pdf.read_bytes().startswith(b"%PDF")
    for file in (png, pdf):
        for word in (b"atplotlib.org", b"CreationDate", b"Producer", b"Software", b"D:20"):
            assert word not in file.read_bytes()


def test_a_figure_has_its_size_in_both_files_whatever_the_settings(tmp_path):
    with mpl.rc_context({"savefig.bbox": "tight", "savefig.dpi": 77}):
        fig, _ = plt.subplots(figsize=(figures.SINGLE, 2))
        png, pdf, _ = figures.save(fig, table(), "fig", tmp_path)
        plt.close(fig)
    assert mpl_image.imread(png).shape[:2] == (400, round(89 / 25.4 * 200) - 1)
    assert b"/MediaBox [ 0 0 252.28" in pdf.read_bytes()  # 89 mm in points


def test_the_csv_holds_the_data_drawn(tmp_path, figure):
    *_, file = figures.save(figure, table(), "fig", tmp_path)
    assert file.read_bytes() == b"x,y\n0,0\n1,0.333333\n"


def test_only_the_three_files_are_left(tmp_path, figure):
    figures.save(figure, table(), "fig", tmp_path / "new" / "folder")
    assert sorted(content(tmp_path)) == ["fig.csv", "fig.pdf", "fig.png"]
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 3


BAD_NAMES = ["Fig1", "fig 1", "fig-1", "", "1fig", "../fig", "fig\n", "results", "manifest", "run"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused(tmp_path, figure, name):
    with pytest.raises(UserError, match="name"):
        figures.save(figure, table(), name, tmp_path)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("bad", [pd.DataFrame(), [1, 2], pd.DataFrame([[1, 2]], columns=["a", "a"])])
def test_a_bad_table_leaves_earlier_files_untouched(tmp_path, figure, bad):
    figures.save(figure, table(), "fig", tmp_path)
    before = content(tmp_path)
    figure.axes[0].plot([1, 0], [0, 1])
    with pytest.raises(UserError):
        figures.save(figure, bad, "fig", tmp_path)
    assert content(tmp_path) == before


def test_a_figure_that_cannot_be_drawn_leaves_earlier_files_untouched(tmp_path, figure):
    figures.save(figure, table(), "fig", tmp_path)
    before = content(tmp_path)
    figure.axes[0].set_title("$\\notacommand$")
    with pytest.raises(ValueError, match="notacommand"):
        figures.save(figure, table(), "fig", tmp_path)
    assert content(tmp_path) == before


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path, figure):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*fig\.png .*REGULOME_OUTPUT"):
        figures.save(figure, table(), "fig", tmp_path / "file")


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ({"ours": 0.40, "published": 0.396, "tolerance": 0.05}, "agrees"),
        ({"ours": 0.40, "published": 0.46, "tolerance": 0.05}, "differs"),
        ({"ours": 0.40, "published": 0.34, "tolerance": 0.05}, "differs"),
        ({"ours": 0.40, "published": 0.35, "tolerance": 0.05}, "agrees"),  # on the bound, up to rounding
        ({"ours": 0.10, "published": 0.30, "tolerance": 0.2}, "agrees"),
        ({"ours": 5, "published": 5}, "agrees"),
        ({"ours": 5, "published": 6}, "differs"),
        ({"ours": 0, "published": 0.0}, "agrees"),
        ({"ours": 0.40, "published": 0.50, "low": 0.3, "high": 0.5}, "agrees"),
        ({"ours": 0.40, "published": 0.55, "low": 0.3, "high": 0.5, "tolerance": 0.1}, "agrees"),
        ({"ours": 0.40, "published": 0.55, "low": 0.3, "high": 0.5}, "differs"),
        ({"ours": 0.40, "published": 0.25, "low": 0.3}, "differs"),
        ({"ours": 0.40, "published": 0.45, "high": 0.5}, "agrees"),
        ({"ours": 0.40, "note": "hidden data"}, "not comparable"),
        ({"ours": float("nan"), "note": "hidden data"}, "not comparable"),
        ({"ours": 0.40, "role": "baseline"}, "baseline"),
        ({"ours": 0.40, "role": "ceiling", "published": 9.0}, "ceiling"),
        ({"ours": float("nan"), "published": 0.4, "tolerance": 9}, "differs"),
        ({"ours": float("inf"), "published": 0.4}, "differs"),
        ({"ours": float("nan"), "published": 0.4, "low": 0.3, "high": 0.5}, "differs"),
        ({"ours": 0.4, "published": 9.0, "low": float("-inf"), "high": float("inf")}, "differs"),
        ({"ours": np.float32(0.5), "published": np.int64(0), "tolerance": 0.6}, "agrees"),
    ],
)
def test_verdicts_follow_from_the_numbers(output, numbers, verdict):
    assert output.compare("id", "quantity", **numbers) == verdict
    assert output.results()["verdict"].tolist() == [verdict]


def test_notes_say_what_the_numbers_hide(output):
    output.compare("a", "q", ours=float("nan"), published=1.0, note="small run")
    output.compare("b", "q", ours=1.0, published=1.0, low=float("nan"), high=2.0)
    output.compare("c", "q", ours=1.0, role="baseline")
    output.compare("d", "q", ours=1.0, role="ceiling", note="exact solution")
    second = output.results().loc[1]
    assert (second["low"], second["high"], second["verdict"]) == (1.0, 1.0, "agrees")
    assert output.results()["note"].tolist() == [
        "small run; ours is not finite",
        "the interval is not finite, ours stands for it",
        "baseline",
        "exact solution",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ours": 1.0}, "the note must say why"),
        ({"ours": "many", "published": 1.0}, "found ours = 'many'; expected a number"),
        ({"ours": 1.0, "published": float("nan")}, "found published nan"),
        ({"ours": 1.0, "published": 1.0, "tolerance": -0.1}, "found tolerance -0.1"),
        ({"ours": 1.0, "published": 1.0, "tolerance": float("inf")}, "found tolerance inf"),
        ({"ours": 1.0, "published": 1.0, "low": 2.0, "high": 1.0}, "found the interval 2 to 1"),
        ({"ours": 1.0, "role": "floor"}, "found role 'floor'; expected baseline or ceiling"),
    ],
)
def test_results_that_make_no_sense_are_refused(output, arguments, message):
    with pytest.raises(UserError) as error:
        output.compare("fig1.x", "quantity", **arguments)
    assert "31_adaptation, result 'fig1.x'" in str(error.value)
    assert message in str(error.value)
    assert output.results().empty


def test_a_result_id_is_used_once(output):
    output.compare("a", "q", ours=1.0, published=1.0)
    with pytest.raises(UserError, match="result 'a': the id is used already"):
        output.compare("a", "q", ours=2.0, published=1.0)
    with pytest.raises(UserError, match="empty id or quantity"):
        output.compare("b", "", ours=2.0, published=1.0)


def test_results_and_manifest_hold_everything_in_order(output, figure, tmp_path, monkeypatch):
    output.save(figure, table(), "fig1b_pulses", caption="Pulses\n  of g1.", section="Pulses")
    output.table(table(), "table_links", caption="Links.", section="Links")
    output.compare(
        "fig1b.sensitivity",
        "sensitivity at I=1",
        ours=0.4,
        published=0.396,
        tolerance=0.05,
        unit="a.u.",
        source="Fig. 1b",
        section="Pulses",
        function="regulome.circuits.adaptation.sensitivity",
    )
    monkeypatch.setenv("REGULOME_ROOT", str(Path(__file__).resolve().parents[1]))
    output.uses("flyex_gap_time_series", "flyex_gap_nc14_t7")
    output.uses("flyex_gap_nc14_t7")
    output.close()
    folder = tmp_path / "mini" / "31_adaptation"
    assert (folder / "results.csv").read_text() == (
        f"{COLUMNS}\nfig1b.sensitivity,sensitivity at I=1,0.4,0.4,0.4,0.396,0.05,a.u.,agrees,Fig. 1b,Pulses,"
        "regulome.circuits.adaptation.sensitivity,\n"
    )
    text = (folder / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest == {
        "slug": "31_adaptation",
        "profile": "mini",
        "title": "Adaptation",
        "figures": [
            {
                "name": "fig1b_pulses",
                "caption": "Pulses of g1.",
                "section": "Pulses",
                "files": ["fig1b_pulses.png", "fig1b_pulses.pdf", "fig1b_pulses.csv"],
            }
        ],
        "tables": [{"name": "table_links", "caption": "Links.", "section": "Links"}],
        "data": ["flyex_gap_nc14_t7", "flyex_gap_time_series"],
        "parameters": {"seed": 1},
    }
    assert text == json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    listed = {*manifest["figures"][0]["files"], "table_links.csv", "results.csv", "manifest.json"}
    assert {file.name for file in folder.iterdir()} == listed


def test_without_results_a_header_alone_is_written(output, tmp_path):
    output.close()
    assert (tmp_path / "mini" / "31_adaptation" / "results.csv").read_text() == COLUMNS + "\n"


def test_a_name_is_saved_once_and_needs_caption_and_section(output, figure):
    output.save(figure, table(), "fig", caption="One.", section="First")
    with pytest.raises(UserError, match="'fig' was saved already"):
        output.table(table(), "fig", caption="Two.", section="First")
    with pytest.raises(UserError, match="'other': the caption is empty"):
        output.save(figure, table(), "other", caption=" ", section="First")
    with pytest.raises(UserError, match="'other': the section is empty"):
        output.table(table(), "other", caption="Two.", section="")
    assert not (output.folder / "other.csv").exists()


def test_nothing_is_added_after_close(output, figure):
    output.close()
    for call in (
        lambda: output.save(figure, table(), "fig", caption="One.", section="First"),
        lambda: output.compare("a", "q", ours=1.0, published=1.0),
        lambda: output.uses("flyex_gap_nc14_t7"),
        output.close,
    ):
        with pytest.raises(UserError, match="the output is closed"):
            call()


def test_an_unknown_data_key_is_refused_by_the_output(output, monkeypatch):
    monkeypatch.setenv("REGULOME_ROOT", str(Path(__file__).resolve().parents[1]))
    with pytest.raises(UserError, match=r"unknown data key 'flyex_gap' \(did you mean"):
        output.uses("flyex_gap")


@pytest.mark.parametrize(
    ("slug", "profile", "parameters", "message"),
    [
        ("adaptation", "mini", {}, "found slug 'adaptation'"),
        ("31_adaptation", "big", {}, "found profile 'big'; expected one of mini, paper"),
        ("31_adaptation", "mini", {"rate": float("nan")}, "not finite"),
        ("31_adaptation", "mini", {"task": object()}, "found a object"),
    ],
)
def test_a_bad_output_is_refused(slug, profile, parameters, message):
    with pytest.raises(UserError, match=message):
        figures.Output(slug, profile, parameters=parameters)


def test_the_style_loads_and_its_colours_are_the_palette():
    with mpl.rc_context():
        figures.style()
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        assert {f"#{colour.lstrip('#')}".upper() for colour in cycle} <= set(figures.PALETTE.values())
        assert not mpl.rcParams["axes.spines.top"]
        assert mpl.rcParams["figure.figsize"][0] == pytest.approx(figures.SINGLE, abs=1e-3)


def test_neighbouring_colours_differ_for_colour_blind_readers():
    """Deuteranopia after Machado et al. (2009); distances in CIE Lab, where 10 is easily seen."""
    machado = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

    def lab(colour):
        srgb = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        xyz = to_xyz @ np.clip(machado @ linear, 0, 1) / [0.9505, 1.0, 1.089]
        x, y, z = np.cbrt(np.maximum(xyz, 0.008856))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    colours = [lab(colour) for colour in figures.PALETTE.values()]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[:i]]
    assert min(distances) > 10
    heat = [lab(mpl.colormaps["BrBG"](share)) for share in (0.1, 0.5, 0.9)]
    assert np.linalg.norm(heat[0] - heat[2]) > 10


def test_the_signed_heatmap_is_centred_and_annotated():
    fig, ax = plt.subplots()
    df = pd.DataFrame([[2.0, -4.0], [0.0, np.nan]], ["a", "b"], ["c", "d"])
    figures.heatmap_signed(df, ax, digits=1)
    mesh = ax.collections[0]
    assert mesh.get_clim() == (-4, 4)
    assert [text.get_text() for text in ax.texts] == ["+2.0", "-4.0", "+0.0"]
    assert np.allclose(mesh.to_rgba(0.0)[:3], 0.96, atol=0.02)  # white in the middle
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    plt.close(fig)
    for bad, limit in ((np.inf, None), (np.nan, None), (1.0, -1.0)):
        with pytest.raises(UserError, match="heatmap"):
            figures.heatmap_signed(pd.DataFrame([[bad]]), ax, limit=limit)


def test_a_heatmap_of_zeros_is_drawn():
    fig, ax = plt.subplots()
    figures.heatmap_signed(pd.DataFrame([[0.0]]), ax)
    assert ax.collections[0].get_clim() == (-1, 1)
    plt.close(fig)


def test_a_short_logarithmic_axis_has_plain_labels():
    fig, ax = plt.subplots()
    ax.plot([0.3, 8], [1, 2])
    ax.set_xscale("log")
    style.log_ticks(ax.xaxis)
    fig.canvas.draw()
    low, high = ax.get_xlim()
    labels = [label.get_text() for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert labels == ["0.5", "1", "2", "5"]
    assert not any(label.get_text() for label in ax.get_xticklabels(minor=True))
    plt.close(fig)
