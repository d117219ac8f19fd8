// Suggestions at the cursor of the query box. The server finds and writes them; nothing is chosen until someone chooses.
T.on("#q", (box) => {
  const list = $("offers"), WAIT_MS = 150;
  let timer = 0, asked = null, options = [], at = -1, from = 0, to = 0;
  const open = () => !list.hidden;
  const close = () => {
    clearTimeout(timer);
    if (asked) asked.abort();
    asked = null;
    list.hidden = true;
    list.replaceChildren();
    options = [];
    at = -1;
    box.removeAttribute("aria-activedescendant");
  };
  const mark = (next) => {
    if (options[at]) options[at].setAttribute("aria-selected", "false");
    at = next;
    if (!options[at]) { box.removeAttribute("aria-activedescendant"); return; }
    options[at].setAttribute("aria-selected", "true");
    options[at].scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", options[at].id);
  };
  const take = (option) => {
    const { insert, back } = option.dataset;
    box.focus();
    box.setSelectionRange(from, to);
    // as if typed, so that the browser's undo takes it back
    if (!document.execCommand("insertText", false, insert)) box.setRangeText(insert, from, to, "end");
    const place = from + insert.length - Number(back);
    box.setSelectionRange(place, place);
    close();
    if (/["(|:{]$/.test(insert) && !Number(back) || insert === "| ") ask(); // there is a next word to choose
  };
  const ask = async (wanted = false) => {
    if (asked) asked.abort();
    asked = new AbortController();
    const mine = asked, place = box.selectionStart;
    const given = new URLSearchParams({ q: box.value, at: place, from: $("from").value, to: $("to").value });
    let html;
    try { html = await T.fetchText(`/explore/complete?${given}`, { signal: mine.signal }); } catch { return; } // the next key asks again
    if (mine !== asked || document.activeElement !== box || box.selectionStart !== place) return; // a newer one is on its way
    const part = T.nodes(html).firstElementChild, count = Number(part.dataset.count);
    const typed = box.value.slice(Number(part.dataset.start), place);
    from = Number(part.dataset.start);
    to = Number(part.dataset.end);
    options = [...part.querySelectorAll("[role=option]")];
    mark(-1);
    const done = options.length === 1 && options[0].dataset.insert === box.value.slice(from, to);
    if (!count || done || (!typed && !wanted && from === 0)) {
      close();
      if (wanted) T.say(T.texts.queryNoOffer, true);
      return;
    }
    list.replaceChildren(part);
    list.hidden = false;
    T.say(count === 1 ? T.texts.queryOneOffer : T.fill("queryOffers", { count: T.count(count) }));
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, WAIT_MS); };

  box.addEventListener("input", (event) => {
    if (event.isComposing) return;
    if (event.inputType && !event.inputType.startsWith("history")) later();
    else close();
  });
  box.addEventListener("blur", close);
  box.addEventListener("click", close);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    if (event.key === " " && event.ctrlKey) { event.preventDefault(); ask(true); return; }
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) { close(); return; }
    if (event.key === "Enter" && (!open() || at < 0 || !plain)) { close(); return; } // it runs
    if (step && !plain) close(); // another query is brought back
    if (!open() || !plain) return;
    if (step) {
      event.preventDefault();
      mark(at + step >= options.length ? -1 : at + step < -1 ? options.length - 1 : at + step);
    } else if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      take(options[Math.max(at, 0)]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      close();
    }
  }, { capture: true });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the box keeps the focus
    const option = event.target.closest("[role=option]");
    if (option && event.button === 0) take(option);
  });
  T.key("Ctrl Space", T.texts.queryOffer, () => { box.focus(); ask(true); }, { group: T.texts.search });
});
