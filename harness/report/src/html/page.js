
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const field = document.getElementById("filter");
  const only = document.getElementById("only");
  const found = document.getElementById("found");
  const texts = new Map();
  // The text of a part is read once; a square knows its row's and column's names by its summary.
  const textOf = (part) => {
    if (!texts.has(part)) { texts.set(part, part.textContent.toLowerCase()); }
    return texts.get(part);
  };
  // In a matrix a word that no row has chooses columns.
  const wantedRows = (grid, words) => {
    const rows = all("tbody tr", grid);
    const nameOf = (row) => row.cells[0].textContent.toLowerCase();
    const groups = all("thead tr:first-child th", grid);
    const spans = groups.map((group) => Number(group.dataset.span));
    const groupNames = groups.flatMap((group, index) => Array(spans[index]).fill(group.textContent.toLowerCase()));
    const heads = all("thead tr:last-child th", grid);
    const names = heads.map((head, index) => `${groupNames[index]}/${head.textContent.toLowerCase()}`);
    const ofRows = words.filter((word) => rows.some((row) => nameOf(row).includes(word)));
    const ofColumns = words.filter((word) => !ofRows.includes(word));
    const shown = names.map((name) => ofColumns.every((word) => name.includes(word)));
    heads.forEach((head, index) => head.classList.toggle("away", !shown[index]));
    let first = 0;
    groups.forEach((group, index) => {
      const count = shown.slice(first, first + spans[index]).filter(Boolean).length;
      first += spans[index];
      group.colSpan = Math.max(count, 1);
      group.classList.toggle("away", count === 0);
    });
    for (const row of rows) {
      shown.forEach((isShown, index) => row.cells[index + 1].classList.toggle("away", !isShown));
    }
    const isWanted = (row) => ofRows.every((word) => nameOf(row).includes(word)) && shown.some(Boolean);
    return rows.filter((row) => isWanted(row) && (!only.checked || row.hasAttribute("data-look")));
  };
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isWanted = (part) => (!only.checked || part.hasAttribute("data-look"))
      && words.every((word) => textOf(part).includes(word));
    let shown = 0;
    const parts = all(".f");
    const grids = all(".grid");
    const wantedInGrids = new Set(grids.flatMap((grid) => wantedRows(grid, words)));
    for (const part of parts) {
      const isShown = part.closest(".grid") ? wantedInGrids.has(part) : isWanted(part);
      part.classList.toggle("away", !isShown);
      shown += isShown ? 1 : 0;
    }
    found.textContent = words.length || only.checked ? `${shown} of ${parts.length} parts` : "";
  };
  const setAll = (isOpen) => {
    for (const part of all("main details")) { part.open = isOpen && !part.classList.contains("away"); }
  };
  // Browsers that do not open what a fragment points into are helped here.
  const reveal = () => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (!target) { return; }
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") { part.open = true; }
      part.classList.remove("away");
    }
    target.scrollIntoView({ block: "center" });
  };
  let place = -1;
  const step = (by) => {
    const squares = all("td.bad a, td.unsure a").filter((square) => square.offsetParent);
    if (squares.length === 0) { return; }
    place = (place + by + squares.length) % squares.length;
    squares[place].focus();
    squares[place].scrollIntoView({ block: "center", inline: "center" });
  };
  const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const move = (event) => {
    const square = document.activeElement && document.activeElement.closest(".grid td");
    if (!square) { return; }
    const [down, right] = MOVES[event.key];
    let row = square.parentElement;
    let column = square.cellIndex;
    while (row) {
      if (down > 0) { row = row.nextElementSibling; } else if (down < 0) { row = row.previousElementSibling; }
      column += right;
      const cell = row && row.cells[column];
      if (!cell) { return; }
      const link = cell.querySelector("a");
      if (link && link.offsetParent) { link.focus(); event.preventDefault(); return; }
    }
  };
  const KEYS = {
    "/": () => field.focus(), n: () => step(1), p: () => step(-1), o: () => setAll(true), c: () => setAll(false),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") { field.value = ""; only.checked = false; field.blur(); apply(); return; }
    if (event.target === field) { return; }
    if (MOVES[event.key]) { move(event); return; }
    if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
  });
  field.addEventListener("input", apply);
  only.addEventListener("change", apply);
  document.getElementById("open").addEventListener("click", () => setAll(true));
  document.getElementById("close").addEventListener("click", () => setAll(false));
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("tools").hidden = false;
  const asked = new URLSearchParams(location.search);
  field.value = asked.get("filter") || "";
  only.checked = asked.has("only");
  if (field.value || only.checked) { apply(); }
  addEventListener("hashchange", reveal);
  reveal();
})();
