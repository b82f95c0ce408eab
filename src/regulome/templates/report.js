"use strict";

// Sorting: every header of a sortable table becomes a button. Empty cells stay last; equal cells keep their order.
function cellKey(row, column) {
  const cell = row.cells[column];
  const text = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent.trim();
  return { text, value: text === "" ? NaN : Number(text) };
}

function compareKeys(a, b) {
  if (a.text === "" || b.text === "") return 0;
  if (!Number.isNaN(a.value) && !Number.isNaN(b.value)) return a.value - b.value;
  return a.text.localeCompare(b.text, "en", { numeric: true });
}

function sortTable(table, column, direction) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, key: cellKey(row, column) }));
  rows.sort((a, b) => (a.key.text === "") - (b.key.text === "") || direction * compareKeys(a.key, b.key));
  body.append(...rows.map((item) => item.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortTable(table, column, descending ? -1 : 1);
    });
  });
}

// Filtering of the results table by verdict.
const filters = document.getElementById("filters");
const rows = Array.from(document.querySelectorAll("#results-table tbody tr"));

function show(verdict) {
  for (const row of rows) row.hidden = verdict !== "" && row.dataset.verdict !== verdict;
  for (const button of filters.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === verdict));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${rows.length} rows`;
}

filters.hidden = rows.length === 0;
filters.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) show(button.dataset.show);
});
show("");

// A link to a row must find it, whatever is filtered.
window.addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.hidden) {
    show("");
    target.scrollIntoView();
  }
});
