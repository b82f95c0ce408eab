"""The list of published panels, the pages composed from what steps wrote, and the verdicts over all steps."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from regulome import (
    figures,
    panels,
    panels_codecheck,
    panels_layout,
    panels_page,
    panels_places,
    panels_verdicts,
    paths,
    steps,
)
from regulome.errors import UserError
from regulome.verdicts import result

STEP = "31_adaptation"
LAST_LETTERS = {"Figure 1": "d", "Figure 2": "d", "Figure 3": "f", "Figure 4": "d", "Figure 5": "e", "Figure 6": "h"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of outputs for this file."""
    folder = tmp_path_factory.mktemp("panels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGULOME_OUTPUT", str(folder / "figures"))
        patch.setenv("REGULOME_BUILD", str(folder / "build"))
        yield folder


@pytest.fixture(scope="module")
def written(folders):
    """One finished step whose figure is noise, with three rows of results; all other steps have not run."""
    out = figures.Output(STEP, "mini")
    fig, ax = plt.subplots(figsize=(2.0, 1.0), layout="constrained")
    ax.imshow(np.random.default_rng(1).random((30, 60, 3)))
    out.save(fig, pd.DataFrame({"x": [1]}), "fig1b_pulses", caption="Noise.", section="A")
    plt.close(fig)
    out.compare("fig1b.sensitivity", "sensitivity", ours=0.40, published=0.396, tolerance=0.02, source="Fig. 1b")
    out.compare("fig1b.error", "error", ours=0.3, published=0.021, tolerance=0.02, source="Fig. 1b")
    out.compare("other.row", "another", ours=1.0, note="nothing is published")
    out.close()
    return panels_places.read_all("mini")


def page_of(name):
    return next(page for page in panels.read_pages() if page.name == name)


@pytest.mark.parametrize("profile", paths.PROFILES)
def test_every_panel_of_the_six_figures_has_a_row_and_none_is_skipped(profile):
    """Shen et al. number their panels with letters: from a to the last one that is described."""
    listed, pages = panels.read_panels(profile), panels.read_pages()
    for item, last in LAST_LETTERS.items():
        name = next(page.name for page in pages if page.item == item)
        letters = [panel.letter for panel in listed if panel.page == name and len(panel.letter) == 1]
        assert letters == [chr(code) for code in range(ord("a"), ord(last) + 1)]


def test_all_four_parts_have_pages_and_every_page_has_panels():
    listed = panels.read_panels("mini")
    assert {page.part for page in panels.read_pages()} == {1, 2, 3, 4}
    assert {page.name for page in panels.read_pages()} == {panel.page for panel in listed}


def test_a_panel_is_regenerated_or_says_why_not():
    for profile in paths.PROFILES:
        for panel in panels.read_panels(profile):
            assert panel.note or panel.status == "regenerated", panel
            assert panel.steps or panel.status in ("not regenerated", "not described"), panel


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("status", "regenarated", "did you mean 'regenerated'"),
        ("ours", "31_adaptation/fig1b_puls", "STEP/FIGURE of the Snakefile"),
        ("ours", "", "a figure or results"),
        ("page", "circuits_figure_9", "did you mean 'circuits_figure_"),
        ("results", "39_nothing:*", "STEP:PATTERN"),
        ("shows", "", "expected text"),
    ],
)
def test_a_mistake_in_the_list_is_named_with_its_row_and_column(tmp_path, column, value, found):
    row = {"page": "circuits_figure_1", "panel": "b", "shows": "pulses", "ours": "31_adaptation/fig1b_pulses"}
    row |= {"results": "", "status": "regenerated", "mini": "", "note": ""}
    table = pd.DataFrame([row, row | {column: value}])
    table.to_csv(tmp_path / "panels.csv", index=False)
    with pytest.raises(UserError, match=f"panels.csv row 3, column '{column}'") as error:
        panels.read_panels("mini", tmp_path / "panels.csv")
    assert found in str(error.value)


def test_a_list_with_other_columns_is_refused(tmp_path):
    (tmp_path / "panels.csv").write_text("page,panel\na,b\n")
    with pytest.raises(UserError, match="row 1: found the columns page, panel; expected page, panel, shows"):
        panels.read_panels("mini", tmp_path / "panels.csv")


def test_a_page_finds_the_figure_and_the_verdicts_of_a_step_that_has_run(written):
    found = panels_places.places(page_of("circuits_figure_1"), panels.read_panels("mini"), written)
    by_letter = {place.letters: place for place in found}
    pulses = by_letter[("b",)]
    assert pulses.image == paths.figures("mini", STEP) / "fig1b_pulses.png"
    assert panels_places.tally(pulses.numbers) == {"agrees": 1, "differs": 1, "not comparable": 0}
    assert by_letter[("c",)].image is None and "not in this profile" in by_letter[("c",)].absent


def test_panels_that_share_an_image_share_its_place_and_keep_the_order_of_the_paper(written):
    found = panels_places.places(page_of("circuits_figure_2"), panels.read_panels("mini"), written)
    assert [place.letters for place in found] == [("a",), ("b",), ("c", "d"), ("c",), ("d",)]


def test_a_figure_that_a_finished_step_did_not_leave_is_reported(written):
    lost = panels_places.lost(panels.read_panels("mini"), written, "mini")
    assert f"{STEP}/fig1c_rates" in lost and f"{STEP}/fig1b_pulses" not in lost
    assert all(name.startswith(STEP) for name in lost)


def test_steps_that_have_not_run_are_named_on_the_page_and_in_the_table(written):
    pages, listed = panels.read_pages(), panels.read_panels("mini")
    table = panels_places.panel_table(pages, listed, written)
    assert len(table) == len(listed)
    row = table[(table["item"] == "Figure 6") & (table["panel"] == "h")].iloc[0]
    assert row["state"] == "step has not run"
    place = panels_places.places(page_of("circuits_figure_6"), listed, written)[-1]
    assert place.absent == "36_cellular_automata/fig6h_areas: step has not run"


def test_a_page_shows_the_image_of_a_step_pixel_by_pixel_and_twice_the_same_bytes(written, tmp_path):
    page = page_of("circuits_figure_1")
    places = panels_places.places(page, panels.read_panels("mini"), written)
    for folder in ("one", "two"):
        figures.style()
        fig, table = panels_page.draw(page, places, "mini")
        figures.save(fig, table, "page", tmp_path / folder)
        plt.close(fig)
    for kind in ("png", "pdf", "csv"):
        assert (tmp_path / "one" / f"page.{kind}").read_bytes() == (tmp_path / "two" / f"page.{kind}").read_bytes()
    drawn = np.asarray(Image.open(tmp_path / "one" / "page.png").convert("RGB"))
    image = np.asarray(Image.open(paths.figures("mini", STEP) / "fig1b_pulses.png").convert("RGB"))
    height, width = image.shape[:2]
    middle = height // 2, width // 2
    same = np.argwhere((drawn == image[middle]).all(axis=2)) - middle  # where the upper left corner would lie
    inside = [(y, x) for y, x in same if y >= 0 and x >= 0]
    assert any(np.array_equal(drawn[y : y + height, x : x + width], image) for y, x in inside)


def test_pages_drawn_by_two_processes_are_those_of_one(written):
    listed, names = panels.read_panels("mini"), ("circuits_figure_1", "binding_design")
    tasks = [(page_of(name), panels_places.places(page_of(name), listed, written)) for name in names]
    alone, together = (list(panels_page.render_all(tasks, "mini", 12, processes)) for processes in (1, 2))
    assert alone == together
    assert [set(content) for content in alone] == [{"png", "pdf", "csv"}] * 2


CONTENTS = st.lists(
    st.tuples(st.sampled_from([0, 300, 560, 700, 1080, 1440]), st.integers(50, 900), st.integers(1, 200)),
    min_size=1,
    max_size=9,
)


@settings(max_examples=40, deadline=None)
@given(CONTENTS)
def test_places_never_overlap_stay_within_the_page_and_keep_their_order(sizes):
    contents = [panels_layout.Content(w, h if w else 0, "word " * n, "note " * n) for w, h, n in sizes]
    boxes, height = panels_layout.layout(contents, 100)
    for number, box in enumerate(boxes):
        assert box.x >= panels_layout.MARGIN and box.x + box.width <= panels_layout.MARGIN + panels_layout.WIDTH
        assert box.y >= 100 and box.bottom <= height
        assert box.width >= box.content_width == contents[number].width
        for later in boxes[number + 1 :]:
            assert (later.y, later.x) > (box.y, box.x)
            assert later.x >= box.x + box.width or later.y >= box.bottom


def test_words_fit_the_width_that_the_layout_gives_them():
    """Against the true widths of the font: no line of small print may stick out of its band."""
    figures.style()
    fig = plt.figure(dpi=figures.DPI)
    texts = [text for panel in panels.read_panels("paper") for text in (panel.note, panel.shows) if text]
    for size, letter, weight in ((7, panels_layout.LETTER, "bold"), (6, panels_layout.SMALL_LETTER, "normal")):
        for width in (420, 1440):
            longest = max((x for text in texts for x in panels_layout.lines(text, width, letter)), key=len)
            drawn = fig.text(0, 0, longest, fontsize=size, fontweight=weight, parse_math=False)
            assert drawn.get_window_extent(fig.canvas.get_renderer()).width <= width - panels_layout.PAD
    plt.close(fig)


NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 3))


@settings(max_examples=40, deadline=None)
@given(NUMBERS, st.floats(0, 5), st.floats(0, 5), NUMBERS, st.floats(0.01, 5))
def test_a_deviation_is_within_one_exactly_when_the_row_agrees(ours, below, above, published, tolerance):
    row = result("a", ours=ours, low=ours - below, high=ours + above, published=published, tolerance=tolerance)
    table = pd.DataFrame([row | {"part": "circuits", "step": STEP, "id": "a", "origin": "paper"}])
    deviation = abs(panels_verdicts.deviations(table)["deviation"].iloc[0])
    if abs(deviation - 1) > 1e-6:
        assert (deviation < 1) == (row["verdict"] == "agrees")
    assert panels_verdicts.contradictions(table) == []


def test_a_verdict_that_contradicts_its_numbers_is_found(written):
    table = panels_verdicts.all_results(written)
    assert panels_verdicts.contradictions(table) == []
    table.loc[table["id"] == "fig1b.error", "verdict"] = "agrees"
    assert panels_verdicts.contradictions(table) == [f"{STEP}: fig1b.error"]


def test_verdicts_are_counted_by_part_and_origin_and_reasons_are_kept(written):
    table = panels_verdicts.all_results(written)
    counts = panels_verdicts.verdict_counts(table, ["part"])
    assert counts.to_dict("records") == [
        {"part": "circuits", "agrees": 1, "differs": 1, "not comparable": 1, "baseline": 0, "ceiling": 0}
    ]
    origins = panels_verdicts.by_origin(table).to_dict("records")
    assert origins == [{"part": "circuits", "origin": "paper", "agrees": 1, "differs": 1}]
    assert panels_verdicts.reasons(table)["reason"].tolist() == ["nothing is published"]


def test_every_published_number_that_is_committed_has_a_classified_origin(monkeypatch):
    monkeypatch.delenv("REGULOME_OUTPUT", raising=False)
    table = panels_verdicts.all_results(panels_places.read_all("paper"))
    assert len(table) > 400
    assert table.loc[table["origin"] == "unclassified", "source"].tolist() == []
    assert panels_verdicts.contradictions(table) == []


def test_without_any_step_pages_and_tables_are_still_made(tmp_path, monkeypatch):
    monkeypatch.setenv("REGULOME_OUTPUT", str(tmp_path))
    nothing = panels_places.read_all("mini")
    table = panels_verdicts.all_results(nothing)
    assert table.empty and panels_verdicts.deviations(table).empty and panels_verdicts.reasons(table).empty
    assert panels_verdicts.verdict_counts(table, ["part"]).empty and panels_verdicts.by_origin(table).empty
    page = page_of("binding_design")
    fig, drawn = panels_page.draw(page, panels_places.places(page, panels.read_panels("mini"), nothing), "mini")
    assert len(drawn) == 6
    plt.close(fig)


def test_the_codecheck_manifest_is_the_one_that_the_steps_give():
    committed = panels_codecheck.file().read_text(encoding="utf-8")
    assert committed == panels_codecheck.content(), "run: python -m regulome.panels_codecheck"


def test_the_codecheck_manifest_has_what_its_specification_asks_of_authors():
    """Version 1.0: a list of files with relative paths, a title, at least one author with a name."""
    text = panels_codecheck.content()
    assert text.startswith("%YAML 1.1\n---\n")
    fields = yaml.safe_load(text)
    files = [item["file"] for item in fields["manifest"]]
    assert len(files) == len(set(files)) and all(item["comment"] for item in fields["manifest"])
    assert not any(name.startswith(("/", "..")) for name in files)
    assert fields["paper"]["title"] and fields["paper"]["authors"][0]["name"]
    assert "figures/paper/31_adaptation/fig1b_pulses.png" in files
    for slug in steps.table():
        assert f"figures/paper/{slug}/results.csv" in files


def test_the_step_reads_all_others_and_declares_every_page():
    """A step that is added to the Snakefile has to be added here too, and a page of the list as a figure."""
    entry = steps.table()[panels_places.SELF]
    assert set(entry["after"]) == set(steps.table()) - {panels_places.SELF}
    pages = panels_places.drawn(panels.read_pages(), panels.read_panels("mini"))
    assert entry["figures"] == ["coverage", *[page.name for page in pages], "verdicts"]
    assert entry["reads"] == [f"data/panels/{name}.csv" for name in ("pages", "panels", "sources")]
