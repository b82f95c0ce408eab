"""A small checkout with outputs and executed notebooks, for the tests of the report, and a reader of its pages."""

import csv
import functools
import io
import json
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import matplotlib.figure
import pandas as pd

COLUMNS = [
    "id", "quantity", "ours", "low", "high", "published", "tolerance", "unit", "verdict", "source", "section",
    "function", "note",
]  # fmt: skip
SECTION = "Sparsening: $\\lambda$ & *links* at 50%"
ROWS = [
    ["fig1b.sensitivity", "sensitivity at I=1", 0.4012345678901234, 0.35, 0.44, 0.396, 0.05, "", "agrees",
     "Fig. 1b", SECTION, "regulome.circuits.adaptation.sensitivity", ""],
    ["fig1b.error", "adaptation error", 0.31, "", "", 0.021, 0.02, "s", "differs", "Fig. 1b", SECTION, "",
     ""],
    ["fig1b.mean", "mean of the targets", 0.2, "", "", "", "", "", "baseline", "", "No such heading", "",
     "baseline"],
    ["fig1b.split", "held-out loss <b>", 2.5e-7, "", "", "", "", "", "not comparable", "Fig. S1", "", "",
     "the split is not published"],
]  # fmt: skip
RUN = {
    "commit": "0123456789abcdef0123", "date": "2026-01-02T03:04:05+00:00", "machine": "Linux x86_64",
    "cpu": "Test <CPU>", "cores": 2, "python": "3.11.9", "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
    "seconds": 72.4, "max_rss_mb": 512.3, "threads": 1, "dirty": False,
}  # fmt: skip
REGISTRY = """gap_profile:
  file: gap.csv
  bytes: 12
  sha256: "{zeros}"
  repository: someone/somewhere
  commit: "{ones}"
  path: data/gap.csv
  licence: MIT
  citation: "Someone & Else, Journal 1:2 (2021)"
  content: gap-gene profile
""".format(zeros="0" * 64, ones="1" * 40)


def make_tree(tmp_path, monkeypatch):
    """A checkout with a finished mini step, its executed notebook, a paper step and one that never ran."""
    for name in ("OUTPUT", "BUILD", "REPORT"):
        monkeypatch.delenv(f"REGULOME_{name}", raising=False)
    monkeypatch.setenv("REGULOME_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    for slug, title in (("31_adaptation", "Adaptation"), ("35_gap_genes", "Gap <genes>")):
        (tmp_path / "notebooks" / f"{slug}.py").write_text(f"# %% [markdown]\n# # {title}\n", encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "registry.yaml").write_text(REGISTRY, encoding="utf-8")
    write_step(tmp_path, "mini", "31_adaptation", "Adaptation & <sensitivity>")
    write_step(tmp_path, "paper", "35_gap_genes", "Gap genes", rows=ROWS[:1])
    build = tmp_path / "build" / "mini"
    build.mkdir(parents=True)
    (build / "31_adaptation.html").write_text(executed_page(), encoding="utf-8")
    (build / "31_adaptation.benchmark.tsv").write_text(
        "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
        "75.5\t0:01:15\t600.0\t900.0\t500.0\t510.0\t0.0\t1.0\t99.0\t74.0\n",
        encoding="utf-8",
    )
    return tmp_path


def write_step(root, profile, slug, title, rows=ROWS):
    """Write the outputs of a step as the brief describes them, with a real figure."""
    folder = root / "figures" / profile / slug
    folder.mkdir(parents=True)
    for ending in ("png", "pdf"):
        (folder / f"fig1b_pulses.{ending}").write_bytes(drawing(ending))
    pd.DataFrame({"t": [0, 1], "g1": [1.0, 0.0]}).to_csv(folder / "fig1b_pulses.csv", index=False)
    pd.DataFrame({"links": range(60), "error": [1 / 3 + i for i in range(60)], "name": ["<i>a</i> | b"] * 60}).to_csv(
        folder / "table_sparsening.csv", index=False
    )
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([COLUMNS, *rows])
    figure_entry = {
        "name": "fig1b_pulses",
        "caption": "<script>alert('caption')</script> \"g1\" & g2_a*b",
        "section": SECTION,
        "files": ["fig1b_pulses.csv", "fig1b_pulses.pdf", "fig1b_pulses.png"],
    }
    manifest = {
        "slug": slug, "profile": profile, "title": title, "figures": [figure_entry],
        "tables": [{"name": "table_sparsening", "caption": "Links left", "section": "No such heading"}],
        "data": ["gap_profile"], "parameters": {"profile": profile, "seed": 1, "levels": [0.1, 1.0]},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(RUN | {"profile": profile, "slug": slug}), encoding="utf-8")


@functools.cache
def drawing(kind):
    """A real figure, 3 by 2 inches at 200 dots an inch."""
    buffer = io.BytesIO()
    figure = matplotlib.figure.Figure(figsize=(3, 2), dpi=200)
    figure.subplots().plot([0, 1], [1, 0])
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


@functools.cache
def executed_page():
    """A notebook page as nbconvert really writes it."""
    from nbconvert import HTMLExporter
    from nbformat import v4

    cells = [
        v4.new_markdown_cell("# Adaptation\n\nThe rate is $\\frac{dg}{dt} = f - g$, and `$x$` is code."),
        v4.new_markdown_cell(f"## {SECTION}\n\n$$\\sum_i x_i < 1$$"),
        v4.new_code_cell("print('$y$ costs')"),
    ]
    return HTMLExporter().from_notebook_node(v4.new_notebook(cells=cells))[0]


VOID = {"meta", "link", "img", "br", "wbr", "hr", "input"}


class Page(HTMLParser):
    """Ids, links, loaded addresses, tags and text of a page; every tag must be closed in order."""

    def __init__(self, file):
        super().__init__()
        self.file, self.stack, self.tags, self.text = file, [], [], ""
        self.feed(file.read_text(encoding="utf-8"))
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.stack[-1:] not in (["script"], ["style"]):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


def broken_links(folder):
    """Links, images and anchors inside a report that lead nowhere, and how many were followed."""
    pages = {file: Page(file) for file in folder.rglob("*.html")}
    broken, followed = [], 0
    for file, page in pages.items():
        for tag, name in (("a", "href"), ("img", "src"), ("link", "href"), ("script", "src")):
            for attributes in page.all(tag):
                address = urlsplit(attributes.get(name, ""))
                if address.scheme in ("http", "https", "data", "mailto"):
                    continue
                followed += 1
                target = (file.parent / unquote(address.path)).resolve() if address.path else file
                inside = folder.resolve() in target.parents and target.is_file()
                wanted = {address.fragment, unquote(address.fragment)}
                if not inside or (address.fragment and not wanted & set(pages[target].ids)):
                    broken.append(f"{file.name}: {attributes[name]}")
    return broken, followed
