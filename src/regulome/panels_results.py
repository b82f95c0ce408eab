"""Rows of ours versus published of notebook 61: how much of each paper its pages hold."""

import pandas as pd


def rows(table: pd.DataFrame, section: str) -> list[dict]:
    """Return two rows a paper: panels with something of ours, and those on the published quantity and data.

    Parameters
    ----------
    table
        As `regulome.panels_places.panel_table`.
    section
        Section of the notebook.
    """
    found = []
    for number, (paper, panels) in enumerate(table.groupby("paper", sort=False), start=1):
        shown = panels["state"].str.contains("there")
        counts = {
            "there": (f"panels of {paper} with a figure or number of ours", shown),
            "same": (
                f"panels of {paper} drawn with the published quantity",
                shown & (panels["status"] == "regenerated"),
            ),
        }
        found += [
            {
                "id": f"panels.{number}.{name}",
                "quantity": words,
                "ours": int(mine.sum()),
                "section": section,
                "function": "regulome.panels_places.panel_table",
                "note": f"of {len(panels)} panels, tables and results that are known of this paper",
            }
            for name, (words, mine) in counts.items()
        ]
    return found
