"""The page of an executed notebook: where its headings are, and a copy that needs no network."""

import html
import re
from functools import cache
from urllib.parse import quote

MATH = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\s](?:[^$]*[^$\s])?)\$", re.DOTALL)

PLAIN = re.compile(r"[^\W_](?:[^\W_]|[ ,.;:()%?'–-])*")  # a heading without markup
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
REMOTE_LINK = re.compile(r"<link\b[^>]*://[^>]*>", re.IGNORECASE)
RENDERED = re.compile(
    r'<div class="[^"]*\bjp-RenderedMarkdown\b.*?(?=<div class="jp-Cell\b|</main>|</body>|\Z)', re.DOTALL
)
CODE_OR_TAG = re.compile(r"(<(?P<tag>code|pre|a)\b.*?</(?P=tag)>|<[^>]*>)", re.DOTALL)

# Stretched brackets and large sums need a font with a MATH table; browsers do not look for one by themselves.
STYLE = """
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
nav.back { padding: 0.5rem 1rem; font-family: sans-serif; }
nav.back a { color: #0b4f8a; text-decoration: underline; }
"""


@cache
def heading_id(heading: str) -> str:
    """Return the id that nbconvert gives to a Markdown heading.

    The rule: text of the rendered heading, spaces to hyphens, then URL quoting; ``$\\lambda$`` is not ``λ``. A heading
    with markup is rendered with nbconvert itself, whose import takes seconds.
    """
    heading = " ".join(heading.split())
    if PLAIN.fullmatch(heading):
        return quote(heading.replace(" ", "-"), safe="?/:@!$&'()*+,;=")
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    found = re.search(r'<h1 id="([^"]*)"', markdown2html_mistune(f"# {heading}"))
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
    page = SCRIPT.sub(_local_script, page)
    page = REMOTE_LINK.sub("", page)
    page = RENDERED.sub(lambda block: _draw_equations(block[0]), page)
    page = re.sub(r"<html(?: lang=\"[^\"]*\")?", '<html lang="en"', page, count=1)
    page = page.replace("</head>", f"<style>{STYLE}</style></head>", 1)
    nav = f'<nav class="back"><a href="{html.escape(back)}">{html.escape(back_text)}</a></nav>'
    return re.sub(r"<body\b[^>]*>", lambda body: body[0] + nav, page, count=1)


def _local_script(script: re.Match) -> str:
    """Keep a script that loads nothing from a server."""
    attributes, text = script.groups()
    remote = "://" in attributes or "mathjax" in script[0].lower() or "import(" in text
    return "" if remote else script[0]


def _draw_equations(block: str) -> str:
    """Replace ``$...$`` and ``$$...$$`` by MathML, outside code, links and tags."""
    if "$" not in block:
        return block
    done, end = [], 0
    for tag in CODE_OR_TAG.finditer(block):
        done += [MATH.sub(_mathml, block[end : tag.start()]), tag[0]]
        end = tag.end()
    return "".join([*done, MATH.sub(_mathml, block[end:])])


def _mathml(match: re.Match) -> str:
    """Return the MathML of one matched equation; TeX that cannot be converted stays as it is."""
    tex = html.unescape(match["block"] or match["inline"])
    try:
        from latex2mathml.converter import convert

        return convert(tex, display="block" if match["block"] else "inline")
    except Exception:  # the converter raises many kinds, and may be absent; TeX is better than no page
        return match[0]
