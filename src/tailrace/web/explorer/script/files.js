// The tree of files: folders unfold in place, and keys move as in a tree grid. Without script each folder is a page.
T.on("#tree", (table) => {
  const rows = () => [...table.querySelectorAll("tbody tr[data-name]")];
  const current = () => (document.activeElement.matches("#tree tr[data-name]") ? document.activeElement : null);
  const level = (row) => Number(row.dataset.level);
  const name = (row) => row.dataset.name;

  const below = (row) => { // what stands below an unfolded folder: the rows up to the next one of its level
    const found = [];
    for (let at = row.nextElementSibling; at && level(at) > level(row); at = at.nextElementSibling) found.push(at);
    return found;
  };
  const open = (row) => row.getAttribute("aria-expanded") === "true";
  const mark = (row, unfolded) => {
    row.setAttribute("aria-expanded", String(unfolded));
    row.querySelector(".twist").setAttribute("aria-label", T.fill(unfolded ? "filesFold" : "filesUnfold", { name: name(row) }));
  };
  const ready = (row) => { // a row of a fragment, or of the page, becomes one of the tree grid
    row.setAttribute("aria-level", row.dataset.level);
    if (row.dataset.name === undefined) return;
    row.tabIndex = -1;
    if (row.dataset.unfold) mark(row, false);
  };
  const go = (row) => {
    if (!row) return;
    table.querySelectorAll("tr[tabindex='0']").forEach((one) => { one.tabIndex = -1; });
    row.tabIndex = 0;
    row.focus();
  };

  const fold = (row) => {
    const gone = below(row);
    const lost = gone.some((one) => one.contains(document.activeElement));
    gone.forEach((one) => one.remove());
    mark(row, false);
    if (lost) go(row);
  };
  const unfold = async (row) => {
    if (row.hasAttribute("aria-busy")) return;
    row.setAttribute("aria-busy", "true");
    try {
      const fresh = [...T.nodes(await T.fetchText(row.dataset.unfold)).children];
      fresh.forEach(ready);
      row.after(...fresh);
      mark(row, true);
      T.say(T.fill("filesShown", { count: T.count(fresh.filter((one) => one.dataset.name !== undefined).length), name: name(row) }));
    } catch (error) {
      T.say(T.fill("failed", { why: error.message || T.texts.offline }), true);
    } finally { row.removeAttribute("aria-busy"); }
  };
  const turn = (row) => (open(row) ? fold(row) : unfold(row));

  table.setAttribute("role", "treegrid");
  table.setAttribute("aria-label", table.dataset.label);
  rows().forEach(ready);
  if (rows()[0]) rows()[0].tabIndex = 0;
  table.addEventListener("click", (event) => {
    const twist = event.target.closest(".twist");
    if (twist) { go(twist.closest("tr")); turn(twist.closest("tr")); }
  });

  const step = (by) => () => { const all = rows(); go(all[all.indexOf(current()) + by]); };
  const inside = { group: T.texts.files, when: () => Boolean(current()) };
  T.key("ArrowDown", T.texts.filesNext, step(1), inside);
  T.key("ArrowUp", T.texts.filesPrevious, () => { if (rows().indexOf(current()) > 0) step(-1)(); }, inside);
  T.key("ArrowRight", T.texts.filesOpen, () => {
    const row = current();
    if (row.dataset.unfold && !open(row)) unfold(row); else if (open(row)) step(1)();
  }, inside);
  T.key("ArrowLeft", T.texts.filesFolds, () => {
    const row = current();
    if (open(row)) { fold(row); return; }
    const all = rows();
    go(all.slice(0, all.indexOf(row)).reverse().find((one) => level(one) < level(row)));
  }, inside);
  T.key("Home", T.texts.filesFirst, () => go(rows()[0]), inside);
  T.key("End", T.texts.filesLast, () => go(rows().at(-1)), inside);
  T.key("Enter", T.texts.filesEnter, () => current().querySelector("th a").click(), inside);
  T.key("j", T.texts.filesBegin, () => (current() ? step(1)() : go(table.querySelector("tr[tabindex='0']"))), { group: T.texts.files });
});
T.on(".crumbs", (crumbs) => {
  T.key("u", T.texts.filesUp, () => { const all = crumbs.querySelectorAll("a"); if (all.length) all[all.length - 1].click(); }, { group: T.texts.files });
});
T.on(".where", (form) => { // defaults stay out of the address
  const fields = () => form.querySelectorAll("input, select");
  form.addEventListener("submit", () => fields().forEach((field) => { if (!field.value) field.disabled = true; }));
  addEventListener("pageshow", () => fields().forEach((field) => { field.disabled = false; }));
});
