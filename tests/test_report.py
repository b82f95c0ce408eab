"""The report: every link good, every number counted, everything escaped, nothing from the network."""

import csv
import itertools
import json
import math
import re
import shutil
from urllib.parse import unquote

import matplotlib.figure
import pandas as pd
import pytest
from report_tree import COLUMNS, ROWS, SECTION, Page, broken_links, executed_page, make_tree, write_step

from regulome import figures, report, report_format, report_inputs, report_notebook
from regulome.errors import UserError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    return make_tree(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A checkout whose mini report is built, for tests that only read it."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        make_tree(root, patch)
        report.build("mini")
    return root


def test_heading_ids_are_those_of_a_real_nbconvert_page():
    page_ids = report_notebook.ids(executed_page())
    assert report_notebook.heading_id(SECTION) in page_ids
    assert report_notebook.anchor(page_ids, "Adaptation") == "#Adaptation"
    assert report_notebook.anchor(page_ids, "No such heading") == ""


@pytest.mark.parametrize(
    "heading",
    [
        "Noise, published and ours",
        "Are they right?",
        "Interferon-γ",
        "It's (a): 50 % – off",
        "A `b`",
        "$x_1$ *and* y",
        "a_b_",
    ],
)
def test_heading_ids_follow_the_rule_of_nbconvert(heading):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    assert report_notebook.ids(markdown2html_mistune(f"## {heading}")) == {report_notebook.heading_id(heading)}


def test_scripts_that_load_from_a_server_are_removed_and_local_ones_stay():
    page = (
        '<html><head><script src="https://a.b/c.js"></script><link rel="x" href="http://a.b/c.css"></head>'
        '<body class="x">'
        "<script>local()</script><script type='module'>import('https://a.b')</script>"
        '<div class="jp-RenderedMarkdown"><p>$a &lt; b$, <code>$c$</code>, <a href="#$d$">$d$</a></p></div>'
        "</body></html>"
    )
    found = report_notebook.self_contained(page, "back.html", "Back")
    assert "<script>local()</script>" in found
    assert "://a.b" not in found
    assert found.count("<math") == 1
    assert "<code>$c$</code>" in found
    assert '<body class="x"><nav class="back"><a href="back.html">Back</a></nav>' in found


def test_every_link_image_and_anchor_of_every_page_exists(finished):
    folder = finished / "report"
    broken, followed = broken_links(folder)
    assert broken == []
    assert followed > 40
    assert len(list(folder.rglob("*.html"))) == 4


def test_a_broken_link_and_a_broken_anchor_are_found(tree):
    folder = report.build("mini").parent
    (folder / "figures" / "mini" / "31_adaptation" / "fig1b_pulses.pdf").unlink()
    page = folder / "mini.html"
    page.write_text(page.read_text(encoding="utf-8").replace('href="#times"', 'href="#tims"'), encoding="utf-8")
    assert sorted(broken_links(folder)[0]) == [
        "index.html: figures/mini/31_adaptation/fig1b_pulses.pdf",
        "mini.html: #tims",
        "mini.html: figures/mini/31_adaptation/fig1b_pulses.pdf",
    ]


def test_ids_are_unique_and_headings_in_order(finished):
    page = Page(finished / "report" / "index.html")
    assert len(page.ids) == len(set(page.ids))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_nothing_is_loaded_from_outside(finished):
    for file in (finished / "report").rglob("*.html"):
        page = Page(file)
        for tag, name in (("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")):
            for attributes in page.all(tag):
                assert "//" not in attributes.get(name, "") or attributes[name].startswith("data:")
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"""(url\(|@import|import\()\s*['"]?(https?:)?//""", text)


def test_equations_of_the_notebook_become_mathml_outside_code(finished):
    pytest.importorskip("latex2mathml")
    text = (finished / "report" / "notebooks" / "mini" / "31_adaptation.html").read_text(encoding="utf-8")
    assert text.count("<math") == 3  # the rate, the sum, and the letter in the heading
    assert "<code>$x$</code>" in text
    assert "$y$ costs" in text


def test_verdict_counts_equal_those_of_the_csv_files(tree):
    write_step(tree, "mini", "36_second", "Second", rows=[[*row[:8], "agrees", *row[9:]] for row in ROWS[:2]])
    text = report.build("mini").read_text(encoding="utf-8")
    shown = {key: int(count) for key, count in re.findall(r'data-count="([^"]*)">(\d+)<', text)}
    expected = {}
    for slug in ("31_adaptation", "36_second"):
        for verdict in pd.read_csv(tree / "figures" / "mini" / slug / "results.csv")["verdict"]:
            for key in (f"{slug}|{verdict}", f"|{verdict}"):
                expected[key] = expected.get(key, 0) + 1
    assert {key: count for key, count in shown.items() if count} == expected
    assert "4 published numbers are compared with ours: 3 agree, 1 differs; " in text
    assert "; 1 of our numbers has no published counterpart." in text


def test_every_row_of_the_csv_is_in_the_table_with_its_verdict(finished):
    page = Page(finished / "report" / "index.html")
    rows = [attributes["data-verdict"] for attributes in page.all("tr") if "data-verdict" in attributes]
    assert rows == [row[8] for row in ROWS]
    assert {"31_adaptation.row.fig1b.sensitivity"} <= set(page.ids)
    for text in (
        "✗ differs",
        "✓ agrees",
        "0.401",
        "(0.350–0.440)",
        "± 0.05",
        "0.021\N{NO-BREAK SPACE}s",
        "above by 0.269",
    ):
        assert text in page.text


def test_captions_titles_and_cells_are_escaped(finished):
    index = finished / "report" / "index.html"
    page = Page(index)
    assert len(page.all("script")) == 1
    assert "<script>alert('caption')</script>" in page.text
    assert "<i>a</i> | b" in page.text
    assert page.all("img")[0]["alt"] == "<script>alert('caption')</script> \"g1\" & g2_a*b"
    results = (finished / "build" / "mini" / "RESULTS.md").read_text(encoding="utf-8")
    assert "<script" not in results
    assert "&lt;script&gt;alert('caption')&lt;/script&gt; \"g1\" &amp; g2\\_a\\*b" in results


def test_no_long_floats_are_shown(finished):
    page = Page(finished / "report" / "index.html")
    results = (finished / "build" / "mini" / "RESULTS.md").read_text(encoding="utf-8")
    assert not re.search(r"\d\.\d{7,}", page.text + results)


def test_tables_show_the_first_fifty_rows_and_have_header_scopes(finished):
    page = Page(finished / "report" / "index.html")
    assert "First 50 of 60 rows" in page.text
    assert page.all("th")
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"


def test_a_step_without_outputs_is_listed_plainly(finished):
    text = Page(finished / "report" / "index.html").text
    assert "35_gap_genes (Gap <genes>): no outputs yet." in text
    assert "1 of 2 steps\nhas no outputs" in text


def test_a_checkout_without_any_output_gives_a_page_that_says_so(tree):
    shutil.rmtree(tree / "figures")
    text = Page(report.build("mini")).text
    assert "2 of 2 steps\nhave no outputs" in text
    assert "No step has run yet." in text


def test_a_failed_step_shows_its_error(tree):
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no <convergence>", "traceback": []}
    notebook = {"cells": [{"cell_type": "code", "outputs": [error]}, {"cell_type": "markdown"}]}
    (tree / "build" / "mini" / "35_gap_genes.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    text = Page(report.build("mini")).text
    assert "the run stopped before the end of the notebook (ValueError: no <convergence>)" in text


def test_each_page_links_the_other_profile_and_index_is_the_one_built(tree):
    index = report.build("mini")
    folder = index.parent
    assert index.read_bytes() == (folder / "mini.html").read_bytes()
    assert 'href="paper.html"' in index.read_text(encoding="utf-8")
    assert "The executed notebook is not in this checkout" in Page(folder / "paper.html").text
    report.build("paper")
    assert index.read_bytes() == (folder / "paper.html").read_bytes()
    assert (tree / "RESULTS.md").is_file()


def test_two_builds_give_the_same_bytes(tree):
    def files():
        report.build("paper")
        report.build("mini")
        everything = [*(tree / "report").rglob("*"), tree / "RESULTS.md", tree / "build" / "mini" / "RESULTS.md"]
        return {file: file.read_bytes() for file in everything if file.is_file()}

    first = files()
    assert files() == first
    assert not (tree / "report" / ".staging").exists()


def test_outputs_that_are_gone_leave_the_report(tree):
    report.build("mini")
    (tree / "figures" / "paper" / "35_gap_genes" / "manifest.json").unlink()
    report.build("mini")
    assert not (tree / "report" / "paper.html").exists()
    assert not (tree / "report" / "figures" / "paper").exists()


def test_links_of_results_md_exist(tree):
    report.build("paper")
    report.build("mini")
    for file in (tree / "RESULTS.md", tree / "build" / "mini" / "RESULTS.md"):
        links = re.findall(r"\]\(([^)]+)\)", file.read_text(encoding="utf-8"))
        assert len(links) == 5
        assert all((file.parent / unquote(link)).is_file() for link in links)


def test_tables_of_results_md_have_the_same_number_of_cells_in_every_row(finished):
    lines = (finished / "build" / "mini" / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    tables = "\n".join(line if line.startswith("|") else "" for line in lines).split("\n\n")
    tables = [table.strip().splitlines() for table in tables if table.strip()]
    assert len(tables) == 7  # run, parts, headline, differences, numbers, run times, data
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_outputs_of_a_notebook_are_read(tree):
    out = figures.Output("32_new", "mini", title="New", parameters={"seed": 1})
    figure = matplotlib.figure.Figure(figsize=(3.5, 2))
    out.save(figure, pd.DataFrame({"x": [1]}), "panel", caption="A panel", section="One")
    out.table(pd.DataFrame({"x": [1 / 3], "y": [float("nan")]}), "numbers", caption="Numbers", section="One")
    out.compare("a", "unstable", ours=float("inf"), published=0.5, tolerance=0.1)
    out.compare("b", "steady", ours=0.5, published=0.5)
    out.uses("gap_profile")
    out.close()
    page = Page(report.build("mini"))
    image = next(attributes for attributes in page.all("img") if attributes["alt"] == "A panel")
    assert (image["width"], image["height"]) == ("490", "280")
    assert "not finite" in page.text
    assert "(0.500–0.500)" not in page.text


def test_data_citations_come_from_the_registry(finished):
    text = Page(finished / "report" / "index.html").text
    assert "Someone & Else, Journal 1:2 (2021)" in text
    assert "MIT" in text


def change(file, **fields):
    """Change fields of a JSON file; None removes one."""
    content = json.loads(file.read_text(encoding="utf-8")) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def set_cell(file, row, column, text):
    """Set one cell of results.csv; rows count from 1, the header."""
    with file.open(encoding="utf-8", newline="") as handle:
        lines = list(csv.reader(handle))
    lines[row - 1][COLUMNS.index(column)] = text
    with file.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(lines)


MISTAKES = {
    "verdict": (lambda f: set_cell(f / "results.csv", 3, "verdict", "agree"),
                "results.csv row 3, column 'verdict': found 'agree' (did you mean 'agrees'?)"),
    "number": (lambda f: set_cell(f / "results.csv", 2, "ours", "0,4"),
               "results.csv row 2, column 'ours': found '0,4'; expected a number"),
    "infinite": (lambda f: set_cell(f / "results.csv", 2, "published", "inf"),
                 "row 2, column 'published': found 'inf'"),
    "nothing published": (lambda f: set_cell(f / "results.csv", 2, "published", ""),
                          "row 2, column 'published': found ''; expected a number"),
    "repeated id": (lambda f: set_cell(f / "results.csv", 3, "id", "fig1b.sensitivity"), "appears twice"),
    "columns": (lambda f: set_cell(f / "results.csv", 1, "ours", "our"),
                "results.csv row 1: found 'id,quantity,our,"),
    "no results": (lambda f: (f / "results.csv").unlink(), "results.csv: cannot be read"),
    "no caption": (lambda f: change(f / "manifest.json", figures=[{"name": "fig1b_pulses"}]),
                   "manifest.json, field 'figures[0].caption': missing; expected text"),
    "title": (lambda f: change(f / "manifest.json", title=3),
              "manifest.json, field 'title': found 3; expected text"),
    "no data": (lambda f: change(f / "manifest.json", data=None), "manifest.json, field 'data': missing"),
    "other slug": (lambda f: change(f / "manifest.json", slug="32_x"),
                   "field 'slug': found '32_x'; expected '31_adaptation'"),
    "not JSON": (lambda f: (f / "manifest.json").write_text('{"slug": \n'),
                 "manifest.json row 2: not valid JSON"),
    "missing file": (lambda f: (f / "fig1b_pulses.pdf").unlink(),
                     "'fig1b_pulses.pdf' is listed but is not in"),
    "file elsewhere": (lambda f: change(f / "manifest.json", tables=[
        {"name": "../../secret", "caption": "", "section": ""}]),
        "found '../../secret.csv'; expected a plain file name"),
    "data key": (lambda f: change(f / "manifest.json", data=["gap_profil"]), "did you mean 'gap_profile'?"),
    "run time": (lambda f: change(f / "run.json", seconds="long"), "run.json, field 'seconds': found 'long'"),
    "image": (lambda f: (f / "fig1b_pulses.png").write_text("none"),
              "fig1b_pulses.png: expected a PNG image"),
    "table": (lambda f: (f / "table_sparsening.csv").write_text("a,b\n1\n1,2,3\n"),
              "table_sparsening.csv: cannot be read as a table"),
    "benchmark": (lambda f: (f.parents[2] / "build/mini/31_adaptation.benchmark.tsv").write_text("s\n1\n"),
                  "31_adaptation.benchmark.tsv: expected a Snakemake benchmark"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_malformed_outputs_are_named_and_the_report_stays(tree, mistake):
    report.build("mini")
    before = {file: file.read_bytes() for file in (tree / "report").rglob("*") if file.is_file()}
    spoil, message = MISTAKES[mistake]
    spoil(tree / "figures" / "mini" / "31_adaptation")
    with pytest.raises(UserError) as error:
        report.build("mini")
    assert message in str(error.value)
    assert str(tree) in str(error.value)
    assert before == {file: file.read_bytes() for file in (tree / "report").rglob("*") if file.is_file()}


def test_an_unknown_profile_is_refused(tree):
    with pytest.raises(UserError, match=r"unknown profile 'papr' \(did you mean 'paper'\?\)"):
        report.build("papr")


@pytest.mark.parametrize("place", [".", "figures", "figures/new", "notebooks"])
def test_a_report_over_its_own_sources_is_refused(tree, monkeypatch, place):
    monkeypatch.setenv("REGULOME_REPORT", str(tree / place))
    before = sorted(tree.rglob("*"))
    with pytest.raises(UserError, match="REGULOME_REPORT"):
        report.build("mini")
    assert sorted(tree.rglob("*")) == before


def test_a_report_folder_that_cannot_be_made_is_a_clear_error(tree, monkeypatch):
    (tree / "taken").write_text("a file")
    monkeypatch.setenv("REGULOME_REPORT", str(tree / "taken"))
    with pytest.raises(UserError, match=r"cannot write the report to .*taken"):
        report.build("mini")
    assert (tree / "taken").read_text() == "a file"


def test_outputs_sent_elsewhere_do_not_replace_results_md(tree, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (tree / "RESULTS.md").write_text("committed")
    monkeypatch.setenv("REGULOME_OUTPUT", str(elsewhere / "figures"))
    report.build("paper")
    assert (tree / "RESULTS.md").read_text() == "committed"


@pytest.mark.parametrize(
    ("value", "at_least", "text"),
    [
        (0.4012345, 0, "0.401"), (104.0, 0, "104"), (2113.4, 0, "2113"), (160000.0, 0, "160000"),
        (38.342, 1, "38.3"), (1.0, 2, "1.00"), (0.0, 0, "0"), (0.9999, 0, "1.00"), (-0.25, 0, "−0.250"),
        (2.5e-7, 0, "2.50 × 10⁻⁷"), (1.2345e9, 0, "1.23 × 10⁹"), (-0.0, 0, "0"), (None, 0, "–"),
        (0.00071, 5, "0.000710"), (9.9996, 0, "10.0"),
    ],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value, at_least, text):
    assert report_format.number(value, at_least) == text


@pytest.mark.parametrize("exponent", range(-12, 13))
def test_written_numbers_are_within_half_a_unit_of_the_third_digit(exponent):
    for mantissa in (1.0049, 3.14159, 9.9951, -7.77777):
        value = mantissa * 10.0**exponent
        text = report_format.number(value).replace("−", "-").replace(" × 10", "e")
        read = float(text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
        assert math.isclose(read, value, rel_tol=0.00502)


def test_times_memory_and_intervals_are_written_for_people():
    assert [report_format.duration(x) for x in (0.42, 9.96, 59.7, 192, 7500)] == [
        "0.4 s", "10 s", "1 min 00 s", "3 min 12 s", "2 h 05 min",
    ]  # fmt: skip
    assert [report_format.memory(x) for x in (512.3, 1434)] == ["512 MB", "1.4 GB"]
    assert report_format.interval(0.1, 0.2) == "0.100–0.200"
    assert report_format.interval(-0.1, 0.2) == "−0.100 – 0.200"
    assert report_format.interval(0.004, 0.05, "0.0193") == "0.0040–0.0500"
    assert report_format.interval(38.4, 41.2, "40") == "38–41"
    assert report_format.interval(0.0, 0.0741, "0") == "0–0.0741"
    assert report_format.moment("2026-01-02T05:04:05+02:00") == "2026-01-02 03:04 UTC"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.333333", "0.3333"), ("0.0083", "0.0083"), ("-121.928", "−121.9"), ("104", "104"),
        ("-12683.2", "−12683"), ("1.2e-05", "1.2 × 10⁻⁵"), ("1e-05", "1 × 10⁻⁵"), ("2.0", "2"),
        ("100.0", "100"), ("g2 -| g1", "g2 -| g1"), ("3.10", "3.1"),
        ("", ""), ("nan", "nan"), ("-7", "−7"), ("1.5.2", "1.5.2"),
    ],
)  # fmt: skip
def test_cells_of_tables_have_at_most_four_significant_digits(text, written):
    assert report_format.cell(text) == written


def test_benchmarks_of_shards_are_summed(tree):
    head = "s\th:m:s\tmax_rss\n"
    folder = tree / "build" / "mini"
    (folder / "33_hill.block1.benchmark.tsv").write_text(f"{head}10.0\t0:00:10\t300.0\n")
    (folder / "33_hill.block2.benchmark.tsv").write_text(f"{head}5.5\t0:00:05\tNA\n")
    assert report_inputs.read_benchmarks("33_hill", "mini") == {"seconds": 15.5, "max_rss_mb": 300.0}


def test_markdown_text_is_plain_text():
    assert report_format.markdown("a_b*c|d\n<e> $x$ `f`") == "a\\_b\\*c\\|d &lt;e&gt; \\$x\\$ \\`f\\`"
