# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figures and tables: the four papers, panel by panel
#
# Every published figure panel, table and result that is known of the four systems, regenerated from what the steps
# wrote: one page a figure, in the paper's order, and one table of ours versus published over all steps. Nothing is
# computed again; a step that has not run leaves a grey band that says so.
#
# **Reads** `data/panels/*.csv` (the hand-written list of panels), and `figures/<profile>/STEP/` of every other step:
# images, `results.csv` and `manifest.json`. **Writes** `figures/<profile>/61_figures_and_tables/`. Half a minute on
# two cores in either profile.

# %% tags=["parameters"]
profile: str = "mini"  # folder of figures/ that is read and takes the outputs (one of: mini, paper)
seed: int = 0  # nothing is random here (>= 0)
threads: int = 2  # processes that draw pages (>= 1)
rows_shown: int = 12  # rows of a table of numbers on a page (>= 1)
beyond: float = 3.0  # deviations larger than this are drawn at the edge (> 1)
expect_published: bool = True  # assert that the pages and tables are complete; off when you change the list of panels

# %%
import pandas as pd
from IPython.display import display

from regulome import figures, panels, panels_page, panels_places, panels_results, panels_summary, panels_verdicts

figures.style()
out = figures.Output(
    "61_figures_and_tables",
    profile,
    title="Figures and tables of the four papers",
    parameters={"rows_shown": rows_shown, "beyond": beyond},
)

# %% [markdown]
# ## What there is
# The list of published panels, and what the steps have left in this profile.

# %%
pages = panels.read_pages()
listed = panels.read_panels(profile)
written = panels_places.read_all(profile)
pd.Series({slug: step.problem or f"{len(step.figures)} figures" for slug, step in written.items()})

# %% [markdown]
# ## Panels
# One row a published panel: *regenerated* (the same quantity), *other data* (the published data are not public),
# *not regenerated* or *not described*, each with its reason. Of GPO-VAE and DynGPT the published figures themselves
# were not at hand: their rows are the results, plots and tables that their public description and code name. The
# verdicts count the numbers that belong to a panel.

# %%
overview = panels_places.panel_table(pages, listed, written)
caption = "Every published panel, table and result that is known: where it is regenerated or why not, and its verdicts."
out.table(overview, "table_panels", section="Panels", caption=caption)
pd.crosstab(overview["paper"], overview["status"])

# %%
caption = (
    "Published panels, tables and results by what became of them. Hatched: nothing is drawn, as the step has not run "
    "in this profile or there is nothing to show."
)
out.save(*panels_summary.coverage(overview), "coverage", section="Panels", caption=caption)

# %% [markdown]
# ## Pages
# One page a published figure, or group of results where the numbers of the figures are not known. The bands carry the
# paper's letters, the status, the origin of the image and the verdicts of its numbers; letters inside an image are its
# own. Images keep the size in which their step drew them.

# %%
drawn = panels_places.drawn(pages, listed)
tasks = [(page, panels_places.places(page, listed, written)) for page in drawn]
for (page, places), content in zip(tasks, panels_page.render_all(tasks, profile, rows_shown, threads), strict=True):
    out.add(content, page.name, section="Pages", caption=panels_page.caption(page, places))

# %% [markdown]
# What has no page: panels of which nothing is known but that they exist.

# %%
left_out = [page.name for page in pages if page not in drawn]
overview.loc[overview["page"].isin(left_out), ["paper", "item", "panel", "status", "note"]]

# %% [markdown]
# ## All numbers
# The rows of every step in one table, with the origin of each published number: stated in the paper, computed from its
# public files, another publication, theory, or an earlier measurement with other code. Agreement with theory says that
# the code is right, not that a paper is reproduced.

# %%
numbers = panels_verdicts.all_results(written)
out.table(numbers, "table_results", section="All numbers", caption="Ours versus published, all steps, with baselines.")
counts = panels_verdicts.verdict_counts(numbers, ["part", "step"])
out.table(counts, "table_verdicts", section="All numbers", caption="Verdicts of every step.")
panels_verdicts.verdict_counts(numbers, ["part"])

# %%
origins = panels_verdicts.by_origin(numbers)
out.table(
    origins, "table_origins", section="All numbers", caption="Agreement by part and origin of the published number."
)
origins

# %% [markdown]
# The deviation of a row is the published number minus ours, divided by what the row allows: the distance from ours to
# the end of its interval, widened by the tolerance. A row agrees exactly when its deviation lies within $-1$ and $1$.

# %%
caption = (
    "(a) Verdicts of every step; baselines and ceilings are not counted. (b) Published number minus ours in units of "
    "interval and tolerance; grey: agreement. Triangles at the edge lie beyond it."
)
fig, deviations = panels_summary.verdicts(numbers, list(written), beyond)
out.save(fig, deviations, "verdicts", section="All numbers", caption=caption)

# %% [markdown]
# Every number that differs, the largest deviation first.

# %%
differing = deviations[deviations["verdict"] == "differs"].sort_values("deviation", key=abs, ascending=False)
differing[["step", "id", "ours", "published", "deviation", "origin"]]

# %% [markdown]
# ## What could not be compared
# Numbers without a published counterpart, with the reason that their step gives, and how often each reason is given.

# %%
alone = panels_verdicts.not_compared(numbers)
reasons = panels_verdicts.reasons(numbers)
section = "What could not be compared"
out.table(alone, "table_not_compared", section=section, caption="Numbers that could not be compared, and why.")
out.table(reasons, "table_reasons", section=section, caption="Reasons, with the number of rows that give them.")
reasons.groupby("step", sort=False).head(2)

# %% [markdown]
# ## Ours and published
# How much of each paper is there. No verdict: a count of panels is no measurement.

# %%
out.compare_all(panels_results.rows(overview, section="Panels"))
out.close()

# %%
with pd.option_context("display.max_rows", None, "display.max_colwidth", 80):
    display(out.results()[["quantity", "ours", "note"]])

# %% [markdown]
# How to read it. Shen et al. publish networks, weights and parameter sets, so that most of their panels can be held
# against numbers. The design document of part 1 and the paper of part 2 test on data that are not public: their panels
# are drawn on other data, and agreement there concerns sizes and definitions. DynGPT states hardly any number; its
# panels are held against exact laws instead. In the mini profile many inputs are simulated, and its verdicts concern
# small samples; the paper profile is the one to quote.

# %% [markdown]
# What would make this notebook wrong: a panel without a place or a reason, a figure of a finished step that is not
# found, a published number whose origin is not classified, or a verdict that does not follow from its numbers.

# %%
if expect_published:
    finished = {slug for slug, step in written.items() if not step.problem}
    lost = panels_places.lost(listed, written, profile)
    reasoned = (overview["status"] == "regenerated") | (overview["note"] != "")
    assert reasoned.all(), "a panel is neither regenerated nor given a reason"
    assert not lost, f"figures that finished steps did not leave: {lost}"
    assert not panels_verdicts.contradictions(numbers), "a verdict does not follow from its numbers"
    assert "unclassified" not in set(numbers["origin"]), "data/panels/sources.csv does not list a source"
    assert set(numbers["step"]) == finished - {slug for slug in finished if not written[slug].rows}
