"""The report in a headless Chromium: no errors, sorting and filtering by keyboard, no page wider than a phone."""

import pytest
from chromium import Browser, find
from report_tree import make_tree

from regulome import report

pytest.importorskip("websocket", reason="websocket-client is not installed")
if find() is None:
    pytest.skip("no Chromium in PATH", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    with pytest.MonkeyPatch.context() as patch:
        make_tree(root, patch)
        report.build("mini")
    return root / "report"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = Browser(find(), tmp_path_factory.mktemp("chromium"))
    yield chromium
    chromium.close()


def test_no_page_reports_an_error_or_misses_a_file(browser, folder):
    browser.problems.clear()
    pages = sorted(folder.rglob("*.html"))
    for page in pages:
        browser.open(page)
        assert browser.run("Array.from(document.images).every(i => !i.complete || i.naturalWidth > 0)"), page
    assert len(pages) == 4
    assert browser.problems == []


def test_an_error_would_be_seen(browser, folder, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><title>x</title><img src='none.png'><script>missing()</script>", encoding="utf-8")
    browser.problems.clear()
    browser.open(page)
    found, browser.problems = " ".join(browser.problems), []
    assert "Uncaught" in found
    assert "ERR_FILE_NOT_FOUND" in found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_not_wider_than_the_screen(browser, folder, width, dark):
    browser.open(folder / "index.html", width=width, dark=dark)
    browser.run("for (const box of document.querySelectorAll('details')) box.open = true")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelector('.numbers .scroll').scrollWidth") >= min(width, 800) - 40


def column(browser, place):
    rows = "Array.from(document.querySelector('table.results').tBodies[0].rows"
    return browser.run(f"{rows}, row => row.cells[{place}].innerText)")


def test_numbers_sort_as_numbers_and_the_header_says_so(browser, folder):
    browser.open(folder / "index.html", fragment="#numbers-3")
    header = "document.querySelectorAll('table.results th[scope=col]')[2]"
    assert browser.run(f"{header}.getAttribute('aria-sort')") is None
    browser.run(f"{header}.querySelector('button').click()")
    assert browser.run(f"{header}.getAttribute('aria-sort')") == "ascending"
    values = [text.split("\n")[0].split("\N{NO-BREAK SPACE}")[0] for text in column(browser, 2)]
    assert values == ["2.50 × 10⁻⁷", "0.200", "0.310", "0.401"]  # as text, 2.50 would come last
    browser.run(f"{header}.querySelector('button').click()")
    assert browser.run(f"{header}.getAttribute('aria-sort')") == "descending"
    assert column(browser, 2)[0].startswith("0.401")
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1


def test_empty_cells_stay_last_in_both_directions(browser, folder):
    browser.open(folder / "index.html", fragment="#numbers-3")
    for _ in range(2):
        browser.run("document.querySelectorAll('table.results th button')[3].click()")
        assert [text.startswith("–") for text in column(browser, 3)] == [False, False, True, True]


def test_headers_are_reached_and_pressed_by_keyboard(browser, folder):
    browser.open(folder / "index.html", fragment="#numbers-3")
    browser.run("document.querySelectorAll('table.results th button')[1].focus()")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.textContent") == "Ours"
    browser.press("Enter", 13, "\r")
    assert browser.run("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_first_tab_stop_skips_to_the_results(browser, folder):
    browser.open(folder / "index.html")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    assert browser.run("document.querySelector(document.activeElement.getAttribute('href')).textContent") == "Summary"


def test_rows_are_filtered_by_verdict(browser, folder):
    browser.open(folder / "index.html", fragment="#numbers-3")
    browser.run("document.querySelector('.filters [data-show=differs]').click()")
    shown = "Array.from(document.querySelectorAll('table.results tbody tr:not([hidden])'), r => r.dataset.verdict)"
    assert browser.run(shown) == ["differs"]
    assert browser.run("document.querySelector('.filters [role=status]').textContent") == "1 of 4 rows"
    assert browser.run("document.querySelector('.filters [aria-pressed=true]').dataset.show") == "differs"


def test_a_link_to_a_row_unfolds_its_table(browser, folder):
    browser.open(folder / "index.html")
    assert not browser.run("document.getElementById('numbers-3').open")
    browser.open(folder / "index.html", fragment="#31_adaptation.row.fig1b.error")
    assert browser.run("document.getElementById('numbers-3').open")
    assert browser.run("document.querySelector(':target').dataset.verdict") == "differs"
    place = "document.querySelector(':target').getBoundingClientRect()"
    header = browser.run("document.querySelector('table.results thead').getBoundingClientRect().bottom")
    assert header <= browser.run(f"{place}.top") < browser.run(f"{place}.bottom") < browser.run("innerHeight")


def test_without_scripts_every_row_is_there_and_nothing_is_a_dead_control(browser, folder):
    browser.open(folder / "index.html", scripts=False)
    assert browser.run("document.querySelectorAll('button').length") == 0
    assert browser.run("document.querySelectorAll('table.results tbody tr:not([hidden])').length") == 4
