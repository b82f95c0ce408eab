"use strict";

// Sorting: every header of a sortable table becomes a button. Empty cells stay last; equal cells keep their order.
function cellKey(row, column) {
  const cell = row.cells[column];
  const text = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent.trim().replace("\u2212", "-");
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

function makeButton(...content) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...content);
  return button;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = Array.from(table.tHead.rows[0].cells);
  headers.forEach((header, column) => {
    const button = makeButton(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortTable(table, column, descending ? -1 : 1);
    });
  });
}

// Filtering of a table of numbers by verdict: one button for each verdict that occurs.
const VERDICTS = ["agrees", "differs", "not comparable", "baseline", "ceiling"];

function filter(table, verdict) {
  const rows = Array.from(table.tBodies[0].rows);
  for (const row of rows) row.hidden = verdict !== "" && row.dataset.verdict !== verdict;
  const bar = table.closest("details").querySelector(".filters");
  for (const button of bar.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === verdict));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  bar.querySelector("[role=status]").textContent = `${shown} of ${rows.length} rows`;
}

for (const table of document.querySelectorAll("table.filtered")) {
  const rows = Array.from(table.tBodies[0].rows);
  const bar = document.createElement("div");
  bar.className = "filters";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", "Show rows by verdict");
  for (const verdict of ["", ...VERDICTS]) {
    const count = rows.filter((row) => verdict === "" || row.dataset.verdict === verdict).length;
    if (count === 0) continue;
    const button = makeButton(`${verdict || "all"} (${count})`);
    button.dataset.show = verdict;
    button.addEventListener("click", () => filter(table, verdict));
    bar.append(button);
  }
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  bar.append(status);
  table.closest(".scroll").before(bar);
  filter(table, "");
}

// A link to a row or a table must find it, whatever is folded or filtered.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.hidden) filter(target.closest("table"), "");
  for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  target.scrollIntoView();
}
window.addEventListener("hashchange", reveal);
if (location.hash) reveal();
