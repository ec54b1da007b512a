"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const body = byId("entries");
  const filter = byId("filter");
  const count = byId("count");
  const total = count.textContent;
  const parent = document.querySelector(".u a");
  const heads = [...document.querySelectorAll("thead a")];
  // A folder too long to be shown whole is sorted by the server, which knows all of it.
  const whole = body.parentNode.hasAttribute("data-whole");

  const rows = [...body.rows].map((row) => {
    const [name, size, date] = row.dataset.k.split(" ").map(Number);
    return { row, folder: row.className === "d" ? 0 : 1, name, size, date, text: "" };
  });

  // Times are written in UTC; here the reader's own zone is known.
  const two = (number) => String(number).padStart(2, "0");
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.textContent =
      `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}` +
      ` ${two(at.getHours())}:${two(at.getMinutes())}`;
  }
  byId("zone").hidden = true;

  // Sorting: the links lead to the server's order; this is the same one, without a request.
  const first = { name: "asc", size: "desc", date: "desc" };
  const query = (key, order) => `?sort=${key}&order=${order}`;

  function sort(key, order) {
    const sign = order === "asc" ? 1 : -1;
    rows.sort((a, b) => a.folder - b.folder || sign * (a[key] - b[key]) || a.name - b.name);
    body.append(...rows.map((entry) => entry.row));
    for (const link of heads) {
      const head = link.parentNode;
      const own = head.dataset.key;
      if (own === key) {
        head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
        link.search = query(own, sign === 1 ? "desc" : "asc");
      } else {
        head.removeAttribute("aria-sort");
        link.search = query(own, first[own]);
      }
    }
    const search = key === "name" && sign === 1 ? "" : query(key, order);
    for (const link of document.querySelectorAll("nav a, .u a, .d a")) link.search = search;
    history.replaceState(null, "", location.pathname + search);
  }

  for (const link of heads) {
    link.addEventListener("click", (event) => {
      if (!whole || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const wanted = new URLSearchParams(link.search);
      sort(wanted.get("sort"), wanted.get("order"));
    });
  }

  // Filtering: every word must be in the name.
  const counted = (number) => number.toLocaleString("en");
  const folded = (text) => text.normalize("NFKC").toLowerCase();

  function narrow() {
    const words = folded(filter.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of rows) {
      entry.text ||= folded(entry.row.cells[0].textContent);
      const fits = words.every((word) => entry.text.includes(word));
      entry.row.hidden = !fits;
      shown += fits;
    }
    count.textContent = words.length ? `${counted(shown)} of ${counted(rows.length)} match` : total;
  }

  filter.addEventListener("input", narrow);
  if (rows.length) filter.hidden = byId("keys").hidden = false;
  byId("up").hidden = !parent;

  // Keys. The focus is what moves, so that Enter and screen readers need no help.
  const links = () => [...document.querySelectorAll("tbody tr:not([hidden]) a")];

  function focus(link) {
    if (!link) return;
    link.focus({ preventScroll: true });
    link.closest("tr").scrollIntoView({ block: "nearest" });
  }

  function move(step) {
    const all = links();
    const at = all.indexOf(document.activeElement);
    focus(at < 0 ? all[0] : all[at + step]);
  }

  function up() {
    if (!parent) return;
    try {
      sessionStorage.setItem("openssl-serve-from", location.pathname);
    } catch {
      // No storage: the row that one comes from is not found again, and nothing else is lost.
    }
    parent.click();
  }

  const keys = {
    j: () => move(1), ArrowDown: () => move(1),
    k: () => move(-1), ArrowUp: () => move(-1),
    u: up, Backspace: up,
    "/": () => filter.select(),
  };
  const filterKeys = {
    ArrowDown: () => focus(body.querySelector("tr:not([hidden]) a")),
    Enter: () => body.querySelector("tr:not([hidden]) a")?.click(),
    Escape: () => {
      if (!filter.value) filter.blur();
      filter.value = "";
      narrow();
    },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const known = event.target === filter ? filterKeys : keys;
    if (!Object.hasOwn(known, event.key)) return;
    event.preventDefault();
    known[event.key]();
  });

  // Back from a folder: go on from its row.
  try {
    const from = sessionStorage.getItem("openssl-serve-from");
    sessionStorage.removeItem("openssl-serve-from");
    if (from) focus(links().find((link) => link.pathname === from));
  } catch {
    // No storage.
  }
  document.documentElement.dataset.ready = "";
})();
