"""The CODECHECK manifest: which files of the paper profile a codechecker has to make again.

``codecheck.yml`` at the repository root follows version 1.0 of the configuration file
(https://codecheck.org.uk/spec/config/1.0/): an author gives `version`, `manifest` and `paper`; `codechecker` and
`report` are added by whoever checks. ``python -m regulome.panels_codecheck`` writes the file.
"""

from pathlib import Path
from typing import Any

import yaml

from regulome import paths, steps
from regulome.panels import Page, Panel, read_pages, read_panels
from regulome.tables import write_bytes

VERSION = "https://codecheck.org.uk/spec/config/1.0/"
COMMENT = """# CODECHECK manifest: files of the paper profile, made by `bash run_all.sh paper`. Written by
# `python -m regulome.panels_codecheck` from the steps of the Snakefile; codechecker and report are for whoever checks.
"""


def file() -> Path:
    """Where the manifest lies: the root of the repository, as its specification asks."""
    return paths.root() / "codecheck.yml"


def manifest() -> list[dict[str, str]]:
    """Return file and comment of every figure and table of the paper profile, in the order of the steps."""
    pages, panels = read_pages(), read_panels("paper")
    return [
        {"file": name, "comment": comment}
        for slug in steps.table()
        for name, comment in _step_files(slug, pages, panels)
    ]


def _step_files(slug: str, pages: list[Page], panels: list[Panel]) -> list[tuple[str, str]]:
    entry = steps.step(slug, "paper")
    folder = f"figures/paper/{slug}"
    found = [(f"{folder}/{name}.png", _comment(f"{slug}/{name}", name, pages, panels)) for name in entry["figures"]]
    found += [(f"{folder}/{name}.csv", f"table: {_words(name)}") for name in entry["tables"]]
    return [*found, (f"{folder}/results.csv", "ours versus published, one row a number")]


def _comment(source: str, name: str, pages: list[Page], panels: list[Panel]) -> str:
    """Name the published panels that a figure regenerates, else say what the figure is called."""
    titles = {page.name: page.title for page in pages}
    found = [f"{titles[panel.page]}, {panel.letter} ({panel.status})" for panel in panels if source in panel.ours]
    return "; ".join(found) if found else titles.get(name, f"figure: {_words(name)}")


def _words(name: str) -> str:
    return name.removeprefix("table_").replace("_", " ")


def content() -> str:
    """Return the text of codecheck.yml.

    Raises
    ------
    UserError
        As `regulome.panels.read_panels` and `regulome.steps.table`.
    """
    citation = yaml.safe_load((paths.root() / "CITATION.cff").read_text(encoding="utf-8"))
    fields: dict[str, Any] = {
        "version": VERSION,
        "manifest": manifest(),
        "paper": {"title": citation["title"], "authors": [_author(author) for author in citation["authors"]]},
    }
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=120)
    return f"%YAML 1.1\n---\n{COMMENT}{text}"


def _author(author: dict[str, str]) -> dict[str, str]:
    """Return an author of CITATION.cff as the manifest names one."""
    name = author.get("name") or f"{author.get('given-names', '')} {author['family-names']}".strip()
    orcid = author.get("orcid", "").removeprefix("https://orcid.org/")
    return {"name": name} | ({"ORCID": orcid} if orcid else {})


if __name__ == "__main__":
    write_bytes(file(), content().encode("utf-8"))
