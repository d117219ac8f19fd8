// The list of lines: one row is in the tab order, j and k move along, Enter opens a row, whose panel comes from the server.
T.on("#lines", (list) => {
  const group = T.texts.lines;
  const rows = () => [...list.querySelectorAll(":scope > .row")];
  const headOf = (row) => row && row.querySelector(".head");
  const rowOf = (node) => {
    const found = node && node.closest("#lines > *");
    return found && (found.matches(".row") ? found : found.previousElementSibling);
  };
  const here = () => rowOf(document.activeElement);
  let current = null;
  const make = (head) => {
    if (current) current.tabIndex = -1;
    current = head;
    if (head) head.tabIndex = 0;
  };
  const prepare = (root) => root.querySelectorAll(".head").forEach((head) => {
    head.tabIndex = -1;
    if (head.matches("a") && !head.hasAttribute("aria-expanded")) head.setAttribute("aria-expanded", "false");
  });
  const settle = () => { if (!current || !current.isConnected) make(headOf(list.querySelector(":scope > .row"))); };
  const focus = (row) => {
    const head = headOf(row) || current;
    if (!head) return;
    make(head);
    head.focus({ preventScroll: true });
    head.scrollIntoView({ block: "nearest" });
  };
  const move = async (by) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(here());
    if (at < 0) { focus(current && current.isConnected ? rowOf(current) : all[0]); return; }
    if (!all[at + by] && T.list && await T.list.extend(by > 0 ? "older" : "newer")) { move(by); return; }
    focus(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  };

  // --- panels ----------------------------------------------------------------------------------------
  const wayOf = (row) => {
    const link = row.querySelector(".panel > a") || row.querySelector("a.head");
    return (link && link.getAttribute("href")) || `/line/${row.dataset.at.replace(/-\d+$/, "")}-${row.dataset.key}`;
  };
  const inAddress = (row) => { // which line is open
    const url = new URL(location);
    if (row) url.searchParams.set("sel", `${row.dataset.at.replace(/-\d+$/, "")}-${row.dataset.key}`);
    else url.searchParams.delete("sel");
    history.replaceState(history.state, "", url);
  };
  const fetchPanel = (row, panel) => {
    const way = wayOf(row);
    row.dataset.way = way;
    return T.load(panel, `${way}${way.includes("?") ? "&" : "?"}part=panel`);
  };
  const openedOf = (row) => {
    const next = row.nextElementSibling;
    return row.querySelector("details") || (next && next.matches(".opened") ? next.querySelector("details") : null);
  };
  const open = async (row) => { // and wait until its panel is there
    let details = openedOf(row);
    if (!details) { // of a table: a row of its own
      const whole = document.createElement("tr"), cell = document.createElement("td"), panel = document.createElement("div");
      const title = document.createElement("summary");
      details = document.createElement("details");
      whole.className = "opened";
      panel.className = "panel";
      cell.colSpan = row.children.length;
      title.textContent = T.texts.rowPanel;
      details.append(title, panel);
      cell.append(details);
      whole.append(cell);
      row.after(whole);
      headOf(row).setAttribute("aria-expanded", "true");
    }
    const panel = details.querySelector(".panel");
    details.open = true;
    inAddress(row);
    if (!panel.querySelector(".fields") && !panel.loading) panel.loading = fetchPanel(row, panel).finally(() => { panel.loading = null; });
    await panel.loading;
    return panel;
  };
  const close = (row) => {
    const details = openedOf(row);
    if (!details || !details.open) return false;
    details.open = false;
    return true;
  };
  list.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!details.matches(".row > details, .opened details")) return;
    const row = rowOf(details);
    if (details.open) { open(row); return; }
    if (!list.querySelector(".row > details[open]")) inAddress(null);
    const whole = details.closest(".opened");
    if (whole) { headOf(row).setAttribute("aria-expanded", "false"); whole.remove(); }
  }, true);
  list.addEventListener("click", (event) => {
    const head = event.target.closest("a.head");
    if (!head || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const row = rowOf(head);
    if (!close(row)) open(row);
  });

  // --- keys ------------------------------------------------------------------------------------------
  list.addEventListener("focusin", (event) => {
    const head = event.target.closest(".head");
    if (head) make(head);
  });
  const screenful = () => Math.max(1, Math.floor(innerHeight * 0.8 / Math.max(20, headOf(here()).offsetHeight)));
  list.addEventListener("keydown", (event) => {
    const field = event.target.closest(".fields tr");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step && field) { // the same action of the field beside
      const links = [...event.target.closest(".panel").querySelectorAll(".fields .do")].filter((one) => one.children.length);
      const at = [...field.querySelector(".do").children].indexOf(event.target);
      const next = links[links.indexOf(field.querySelector(".do")) + step];
      if (next) { event.preventDefault(); next.children[Math.max(0, at)].focus(); }
      return;
    }
    if (event.key === "Escape" && here()) {
      const row = here();
      if (close(row)) { event.preventDefault(); focus(row); }
    }
    if (!event.target.matches(".head")) return;
    if (step) { event.preventDefault(); move(step); }
  });
  const inside = () => Boolean(here());
  const filter = async (index) => { // + or − of the field in focus; of a line, its fields are opened first
    const field = document.activeElement.closest(".fields tr");
    if (field) { const link = field.querySelectorAll(".do a")[index]; if (link) link.click(); return; }
    const panel = await open(here());
    const first = panel.querySelectorAll(".fields .do a")[index];
    if (first) first.focus();
  };
  const press = async (selector) => { const one = (await open(here())).querySelector(selector); if (one) one.click(); };
  T.key("j", T.texts.nextLine, () => move(1), { group });
  T.key("k", T.texts.previousLine, () => move(-1), { group });
  const onHead = () => document.activeElement.matches("#lines .head");
  T.key("PageDown", T.texts.pageDown, () => move(screenful()), { group, when: onHead });
  T.key("PageUp", T.texts.pageUp, () => move(-screenful()), { group, when: onHead });
  T.key("Home", T.texts.firstLine, () => T.list && T.list.end("newest"), { group, when: onHead });
  T.key("End", T.texts.lastLine, () => T.list && T.list.end("oldest"), { group, when: onHead });
  T.key("x", T.texts.keepValue, () => filter(0), { group, when: inside });
  T.key("-", T.texts.dropValue, () => filter(1), { group, when: inside });
  T.key("c", T.texts.showContext, () => press("a[data-around]"), { group, when: inside });
  T.key("y", T.texts.copyLine, async () => T.copy(await T.fetchText(`${wayOf(here()).split("?")[0]}/raw`)), { group, when: inside });
  T.key("Y", T.texts.copyLink, () => T.copy(new URL(wayOf(here()), location).href), { group, when: inside });

  prepare(list);
  settle();
  T.rows = { list, prepare, settle, rows, headOf, make, live: false, focus: (row) => focus(row) };
});
