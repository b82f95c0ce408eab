"""Headline numbers: read from the rows of a run, beside baselines and ceilings, robust to what a profile lacks."""

from dataclasses import replace
from pathlib import Path

import pytest

from regulome import report_headlines as heads
from regulome import report_summary as summary
from regulome.errors import UserError
from regulome.report_inputs import Row, Step, read_results

ROOT = Path(__file__).resolve().parents[1]
ENTRY = """headlines:
  - title: Error of the forecast
    says: Mean squared error.
    step: 35_gap_genes
    better: {better}
    models: [mse.network, mse.gone]
    baselines: ["mse.*"]
    ceilings: [mse.truth: the truth itself]
"""


def row(name, ours, verdict="not comparable", low=None, high=None, note="", published=None):
    return Row(
        id=name, quantity=f"squared error, {name[4:]} (simulated)", ours=ours, low=low, high=high, published=published,
        tolerance=0.1, unit="", verdict=verdict, source="", section="", function="", note=note,
    )  # fmt: skip


ROWS = (
    row("mse.network", 0.4, low=0.3, high=0.5),
    row("mse.linear", 0.6, "baseline", 0.45, 0.7),
    row("mse.mean", 0.9, "baseline"),
    row("mse.other", 0.1),
    row("mse.truth", 0.2, "ceiling"),
    row("mse.broken", None, "baseline"),
)


def one(rows, better="lower"):
    entries, _ = heads.parse(ENTRY.format(better=better), "headlines.yaml")
    return heads.headlines(entries, [Step("35_gap_genes", "mini", "Gap genes", rows=tuple(rows))])


def test_models_stand_first_then_baselines_and_ceilings_with_the_best_first():
    [item] = one(ROWS)
    assert [(line.row.id, line.role) for line in item.lines] == [
        ("mse.network", "model"),
        ("mse.linear", "baseline"),
        ("mse.mean", "baseline"),
        ("mse.truth", "ceiling"),
    ]
    assert [line.label for line in item.lines] == ["network", "linear", "mean", "the truth itself"]


def test_a_role_is_not_said_twice():
    entries, _ = heads.parse(ENTRY.format(better="lower").replace("mse.truth: the truth itself", "mse.truth"), "x.yaml")
    rows = [replace(each, quantity=each.quantity.replace("truth", "ceiling: truth")) for each in ROWS]
    [item] = heads.headlines(entries, [Step("35_gap_genes", "mini", "Gap genes", rows=tuple(rows))])
    assert [line.label for line in item.lines] == ["network", "linear", "mean", "truth"]


def test_the_comparison_is_computed_from_the_rows():
    text = heads.judgement(one(ROWS)[0]).replace("\N{NO-BREAK SPACE}", " ")
    assert text == (
        "Network: 0.400, better than the best of 2 baselines (linear, 0.600); the intervals overlap; "
        "50 % of the way from there to the ceiling (0.200)."
    )
    worse = [row("mse.network", 0.95), *ROWS[1:]]
    assert "worse than the best of 2 baselines (linear, 0.600); ceiling" in heads.judgement(one(worse)[0])


def test_the_direction_decides_which_baseline_is_best():
    text = heads.judgement(one(ROWS, better="higher")[0])
    assert "worse than the best of 2 baselines (mean, 0.900)" in text


def test_missing_rows_are_left_out_and_a_missing_model_is_no_headline():
    [item] = one(ROWS[:2])
    assert [line.row.id for line in item.lines] == ["mse.network", "mse.linear"]
    assert one(ROWS[1:]) == []
    entries, _ = heads.parse(ENTRY.format(better="lower"), "headlines.yaml")
    assert heads.headlines(entries, [Step("35_gap_genes", "mini", "Gap genes", problem="no outputs yet")]) == []
    assert heads.headlines(entries, []) == []


def test_weak_baselines_are_summarised_by_their_range():
    many = [row(f"mse.b{place}", 1 + place / 10, "baseline") for place in range(9)]
    [item] = one([ROWS[0], *many, ROWS[4]])
    assert [line.row.id for line in item.shown] == ["mse.network", *(f"mse.b{i}" for i in range(6)), "mse.truth"]
    assert heads.weaker_range(item) == "1.60 to 1.80"
    [item] = one([ROWS[0], *many[:7]])
    assert (len(item.shown), item.weaker, heads.weaker_range(item)) == (8, [], "")


def test_places_on_the_axis_run_from_zero_to_the_largest_number():
    [item] = one(ROWS)
    assert heads.scale(item) == (0.0, 0.9)
    assert heads.place(item, 0.45) == "50.0%"
    assert heads.scale(one([row("mse.network", -0.3), ROWS[1]])[0]) == (-0.3, 0.7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("better: lower", "better: smaller"), "field 'better': found 'smaller'; expected higher or lower"),
        (("models: [mse.network, mse.gone]", "models: []"), "field 'models': found no id"),
        (("    says: Mean squared error.\n", ""), "headlines[0], field 'says': missing"),
        (("baselines:", "baseline:"), "unknown field 'baseline' (did you mean 'baselines'?)"),
        (("models: [mse.network", "models: [3"), "field 'models': found 3; expected ids, or id: label"),
        (("headlines:", "headlines: ["), "not valid YAML"),
    ],
    ids=["direction", "no model", "missing", "unknown", "number", "yaml"],
)
def test_mistakes_in_the_file_are_named(change, message):
    text = ENTRY.format(better="lower").replace(*change)
    with pytest.raises(UserError) as error:
        heads.parse(text, "headlines.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith("headlines.yaml")


def test_every_headline_and_reason_names_a_notebook():
    entries, reasons = heads.read_file()
    slugs = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert {entry.step for entry in entries} | {reason.step for reason in reasons} <= slugs
    assert len({entry.title for entry in entries}) == len(entries)


def test_committed_steps_have_headlines_with_models_baselines_and_labels():
    entries, _ = heads.read_file()
    done = {path.parent.name: read_results(path) for path in (ROOT / "figures" / "paper").glob("*/results.csv")}
    found = heads.headlines(entries, [Step(slug, "paper", slug, rows=rows) for slug, rows in done.items()])
    assert {item.step.slug for item in found} == {entry.step for entry in entries} & set(done)
    assert found
    for item in found:
        assert item.of("baseline"), item.entry.title
        assert all(line.label for line in item.lines), item.entry.title


def test_differences_are_grouped_by_step_and_reason():
    rows = (
        row("a.1", 1.0, "differs", published=2.0, note="noise"),
        row("a.2", 1.0, "differs", published=2.0),
        row("b.1", 1.0, "differs", published=2.0, note="noise"),
        row("c", 1.0, "agrees", published=1.0, note="noise"),
        row("d", 1.0, "differs", published=2.0),
    )
    step = Step("35_gap_genes", "mini", "Gap genes", rows=rows)
    reasons = (heads.Reason("35_gap_genes", ("a.*",), "another unit"), heads.Reason("36_other", ("d",), "wrong step"))
    found = [(group.reason, [line.id for line in group.rows]) for group in summary.differences([step], reasons)]
    assert found == [("another unit", ["a.1", "a.2"]), ("noise", ["b.1"]), ("", ["d"])]
