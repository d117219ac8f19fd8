// The page works without this script. It adds keys, and live lines over server-sent events.
"use strict";
(() => {
  const ROWS_MOST = 1000; // lines that a live page keeps; older ones leave at the bottom
  const $ = (id) => document.getElementById(id);
  const list = $("lines"), box = $("q"), live = $("live"), state = $("state"), help = $("help");
  const paused = $("paused"), resume = $("resume");
  document.documentElement.classList.add("js");

  // --- rows: one of them is in the tab order, j and k move along ---------------------------------
  const heads = () => list ? [...list.querySelectorAll(":scope > .row > details > summary")] : [];
  let current = null;
  const makeCurrent = (head) => {
    if (current) current.tabIndex = -1;
    current = head;
    if (head) head.tabIndex = 0;
  };
  const prepare = (root) => root.querySelectorAll("summary").forEach((head) => { head.tabIndex = -1; });
  if (list) {
    prepare(list);
    makeCurrent(heads()[0] || null);
    list.addEventListener("focusin", (event) => {
      const head = event.target.closest(".row > details > summary");
      if (head) makeCurrent(head);
    });
  }
  const move = (by) => {
    const all = heads();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (current && current.isConnected ? current : all[0]) : all[Math.min(Math.max(at + by, 0), all.length - 1)];
    makeCurrent(next);
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  // --- the query box: Enter runs, Alt+Enter breaks the line ----------------------------------------
  if (box) {
    box.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" && event.altKey) {
        event.preventDefault();
        box.setRangeText("\n", box.selectionStart, box.selectionEnd, "end");
      } else if (event.key === "Enter") {
        event.preventDefault();
        box.form.requestSubmit();
      } else if (event.key === "Escape") {
        box.blur();
        if (current) current.focus();
      }
      fit();
    });
    const fit = () => { box.rows = Math.min(box.value.split("\n").length, 6); };
    box.addEventListener("input", fit);
    box.form.addEventListener("submit", () => { // defaults stay out of the address
      for (const field of box.form.querySelectorAll("input")) if (!field.value) field.disabled = true;
    });
    addEventListener("pageshow", () => box.form.querySelectorAll("input").forEach((field) => { field.disabled = false; }));
  }

  // --- live lines --------------------------------------------------------------------------------
  let source = null, waiting = [], held = 0, arrived = 0, dropped = 0, told = 0;
  const away = () => scrollY > list.getBoundingClientRect().top + scrollY + 40;
  let next = 0;
  const say = (text, always) => { // at most one message a second for a screen reader
    clearTimeout(next);
    const rest = always ? 0 : told + 1000 - Date.now();
    if (rest > 0) { next = setTimeout(() => say(text, true), rest); return; }
    told = Date.now();
    state.textContent = text;
  };
  const count = (n) => n.toLocaleString("en");
  const tell = (always) => say(`live · ${count(arrived)} new${dropped ? ` · ${count(dropped)} left out: too many a second` : ""}`, always);
  const show = (html) => {
    const part = document.createElement("template");
    part.innerHTML = html; // rendered and escaped by the server, from the same template as the list
    prepare(part.content);
    part.content.querySelectorAll(".row").forEach((row) => row.classList.add("new"));
    list.prepend(part.content);
    while (list.children.length > ROWS_MOST) list.lastElementChild.remove();
    const empty = document.querySelector(".empty");
    if (empty) empty.hidden = true;
    if (!current || !current.isConnected) makeCurrent(heads()[0] || null);
  };
  const pausing = () => {
    paused.hidden = !held;
    resume.textContent = `Paused: ${count(held)} new ${held === 1 ? "line" : "lines"}. Show them`;
  };
  const flush = () => {
    waiting.forEach(show);
    waiting = [];
    held = 0;
    pausing();
  };
  const start = () => {
    source = new EventSource(live.dataset.url);
    live.setAttribute("aria-pressed", "true");
    arrived = dropped = 0;
    source.onopen = () => tell(true);
    source.addEventListener("lines", (event) => {
      const rows = event.data.split('<li class="row').length - 1;
      arrived += rows;
      if (away() || list.querySelector("details[open]")) {
        waiting.push(event.data);
        held += rows;
        while (waiting.length > 1 && held > ROWS_MOST) { // older than the page would keep
          const lost = waiting.shift().split('<li class="row').length - 1;
          held -= lost;
          dropped += lost;
        }
        pausing();
      } else show(event.data);
      tell(false);
    });
    source.addEventListener("dropped", (event) => { dropped += Number(event.data); tell(true); });
    source.addEventListener("failed", (event) => { stop(); say(JSON.parse(event.data).error.what, true); });
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) { stop(); say("live lines are not to be had now", true); }
      else say("live · connection lost, trying again", true);
    };
  };
  const stop = () => {
    if (!source) return;
    source.close();
    source = null;
    live.setAttribute("aria-pressed", "false");
    flush();
    say(`stopped · ${count(arrived)} came in`, true);
  };
  if (live) {
    live.addEventListener("click", () => (source ? stop() : start()));
    resume.addEventListener("click", () => {
      list.querySelectorAll("details[open]").forEach((row) => { row.open = false; });
      flush();
      list.scrollIntoView({ block: "start" });
      scrollTo({ top: 0 });
    });
    addEventListener("scroll", () => { if (source && held && !away() && !list.querySelector("details[open]")) flush(); }, { passive: true });
    addEventListener("pagehide", () => source && source.close());
    if (list.dataset.live === "1") start();
  }

  // --- keys ----------------------------------------------------------------------------------------
  if (help) $("help-open").addEventListener("click", (event) => { event.preventDefault(); help.showModal(); });
  const follow = (rel) => { const link = document.querySelector(`a[rel=${rel}]`); if (link) link.click(); };
  const keys = {
    "/": () => { box.focus(); box.select(); },
    j: () => move(1),
    k: () => move(-1),
    l: () => live && live.click(),
    "[": () => follow("next"),
    "]": () => follow("prev"),
    "?": () => help.showModal(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
    if (event.target.closest("input, textarea, select")) return;
    const row = event.target.closest(".row");
    if (event.key === "Escape") {
      const open = row ? row.querySelector("details[open]") : list && list.querySelector("details[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
      return;
    }
    const name = row && event.key === "ArrowDown" ? "j" : row && event.key === "ArrowUp" ? "k" : event.key;
    if (Object.hasOwn(keys, name)) { event.preventDefault(); keys[name](); }
  });
})();
