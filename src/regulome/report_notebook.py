"""The page of an executed notebook: where its headings are, and a copy that needs no network."""

import html
import re
from functools import cache

from bs4 import BeautifulSoup, Tag

MATH = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\s](?:[^$]*[^$\s])?)\$", re.DOTALL)

# Stretched brackets and large sums need a font with a MATH table; browsers do not look for one by themselves.
STYLE = """
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
nav.back { padding: 0.5rem 1rem; font-family: sans-serif; }
nav.back a { color: #0b4f8a; text-decoration: underline; }
"""


@cache
def heading_id(heading: str) -> str:
    """Return the id that nbconvert gives to a Markdown heading, by rendering it with nbconvert.

    The rule: text of the rendered heading, spaces to hyphens, then URL quoting; ``$\\lambda$`` is not ``λ``.
    """
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    found = re.search(r'<h1 id="([^"]*)"', markdown2html_mistune(f"# {heading.strip()}"))
    return html.unescape(found[1]) if found else ""


def ids(page: str) -> set[str]:
    """Return the ids of all headings of a page."""
    found = re.findall(r'<h[1-6][^>]*?\sid="([^"]*)"', page)
    return {html.unescape(value) for value in found}


def anchor(page_ids: set[str], section: str) -> str:
    """Return ``#id`` of a section heading, or nothing when the page has no such heading."""
    name = heading_id(section) if section.strip() else ""
    return f"#{name}" if name and name in page_ids else ""


def self_contained(page: str, back: str, back_text: str) -> str:
    """Return a notebook page without remote scripts and styles, with its equations as MathML and a link back.

    nbconvert's page loads RequireJS, MathJax and Mermaid from a server: without a network its equations
    would stay TeX source and the browser would report errors. Browsers draw MathML themselves.

    Parameters
    ----------
    page
        HTML that nbconvert wrote.
    back, back_text
        Relative address and text of the link back to the results page.
    """
    soup = BeautifulSoup(page, "html.parser")
    for script in soup.find_all("script"):
        if "://" in script.get("src", "") or "mathjax" in str(script).lower() or "import(" in script.text:
            script.decompose()
    for link in soup.find_all("link"):
        if "://" in link.get("href", ""):
            link.decompose()
    for block in soup.select(".jp-RenderedMarkdown"):
        _draw_equations(block)
    if soup.html is not None:
        soup.html["lang"] = "en"
    if soup.head is not None:
        soup.head.append(soup.new_tag("style", string=STYLE))
    if soup.body is not None:
        nav = soup.new_tag("nav", attrs={"class": "back"})
        nav.append(soup.new_tag("a", href=back, string=back_text))
        soup.body.insert(0, nav)
    return str(soup)


def _draw_equations(block: Tag) -> None:
    """Replace ``$...$`` and ``$$...$$`` by MathML, outside code and links."""
    for text in block.find_all(string=MATH):
        if text.find_parent(["code", "pre", "a"]) is None:
            markup = MATH.sub(_mathml, html.escape(text, quote=False))
            text.replace_with(BeautifulSoup(markup, "html.parser"))


def _mathml(match: re.Match) -> str:
    """Return the MathML of one matched equation; TeX that cannot be converted stays as it is."""
    tex = html.unescape(match["block"] or match["inline"])
    try:
        from latex2mathml.converter import convert

        return convert(tex, display="block" if match["block"] else "inline")
    except Exception:  # the converter raises many kinds, and may be absent; TeX is better than no page
        return match[0]
