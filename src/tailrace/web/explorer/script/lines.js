// The list of lines: one row is in the tab order, j and k move along, Enter opens.
T.on("#lines", (list) => {
  const heads = () => [...list.querySelectorAll(":scope > .row > details > summary")];
  let current = null;
  const make = (head) => {
    if (current) current.tabIndex = -1;
    current = head;
    if (head) head.tabIndex = 0;
  };
  const prepare = (root) => root.querySelectorAll("summary").forEach((head) => { head.tabIndex = -1; });
  const settle = () => { if (!current || !current.isConnected) make(heads()[0] || null); };
  const move = (by) => {
    const all = heads();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (current && current.isConnected ? current : all[0]) : all[Math.min(Math.max(at + by, 0), all.length - 1)];
    make(next);
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  prepare(list);
  settle();
  list.addEventListener("focusin", (event) => {
    const head = event.target.closest(".row > details > summary");
    if (head) make(head);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && event.target.closest("summary")) { event.preventDefault(); move(step); }
    if (event.key === "Escape") {
      const open = event.target.closest(".row").querySelector("details[open]");
      if (open) { event.preventDefault(); open.open = false; open.querySelector("summary").focus(); }
    }
  });
  T.rows = { list, prepare, settle, focus: () => current && current.focus() };
  const group = T.texts.lines;
  const follow = (rel) => { const link = document.querySelector(`a[rel=${rel}]`); if (link) link.click(); };
  T.key("j", T.texts.nextLine, () => move(1), { group });
  T.key("k", T.texts.previousLine, () => move(-1), { group });
  T.key("[", T.texts.olderPage, () => follow("next"), { group });
  T.key("]", T.texts.newerPage, () => follow("prev"), { group });
});
