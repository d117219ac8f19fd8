// The query box: running, mistakes before the page is left, elapsed time and Cancel, history, and the range by keys.
T.on("#q", (box) => {
  const form = box.form, running = $("running"), said = $("query-said");
  const group = T.texts.search, KEPT = 100;
  const words = $("words"); // the words that the query was read from, to go on with
  const fit = () => { box.rows = Math.min(box.value.split("\n").length, 12); };
  const put = (text) => { box.value = text; fit(); };

  // --- history: the server keeps that of who is signed in, else this browser, newest first -------------
  const kept = box.dataset.history;
  const own = () => { try { return JSON.parse(T.memory.get("queries")) || []; } catch { return []; } };
  let past = null, at = -1, draft = ""; // at: how far back the box shows; the draft is what was in it before
  const fetched = async () => { try { return kept ? JSON.parse(await T.fetchText(kept)) : own(); } catch { return own(); } };
  const keep = (text) => T.memory.set("queries", JSON.stringify([text, ...own().filter((one) => one !== text)].slice(0, KEPT)));
  const remember = (text) => { // what the server cannot take stays here, where it is looked for then
    if (kept) fetch(kept, { method: "POST", body: new URLSearchParams({ q: text }) }).catch(() => keep(text));
    else keep(text);
  };
  const walk = async (by) => {
    past ||= await fetched();
    if (at < 0) draft = box.value;
    let next = at + by;
    while (by > 0 && next < past.length && past[next] === box.value) next += 1; // the query that is shown is no step back
    if (next < -1 || next >= past.length) return;
    at = next;
    put(at < 0 ? draft : past[at]);
    box.setSelectionRange(box.value.length, box.value.length);
    T.say(box.value, true);
  };

  // --- running ---------------------------------------------------------------------------------------
  let began = 0, clock = 0, asked = null;
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  const rest = () => { clearInterval(clock); running.hidden = true; };
  const tick = () => { running.firstElementChild.textContent = T.fill("queryRunning", { seconds: seconds() }); };
  const old = (is) => document.documentElement.classList.toggle("old-result", is);
  const show = (part, note = "") => { // a mistake, or what became of the query; what is below stays, and is called old
    said.replaceChildren(part || "");
    T.mount(said);
    if (note) {
      const line = document.createElement("p");
      line.className = "notice";
      line.textContent = note;
      said.append(line);
    }
  };
  const wrong = (is) => {
    box.parentElement.classList.toggle("wrong", is);
    if (is) { box.setAttribute("aria-invalid", "true"); box.setAttribute("aria-describedby", "query-error"); }
    else { box.removeAttribute("aria-invalid"); box.removeAttribute("aria-describedby"); }
  };
  const values = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const leave = (extra) => {
    if (extra) form.append(extra);
    for (const field of form.querySelectorAll("input")) if (!field.value) field.disabled = true; // defaults stay out of the address
    wrong(false);
    form.submit();
  };
  const run = async (button) => {
    if (asked) asked.abort();
    began = performance.now();
    clearInterval(clock);
    clock = setInterval(() => { running.hidden = performance.now() - began < 300; tick(); }, 100);
    asked = new AbortController();
    const mine = asked;
    let extra = null;
    if (button && button.name) {
      extra = document.createElement("input");
      extra.type = "hidden";
      extra.name = button.name;
      extra.value = button.value;
    }
    let mistake = "";
    try {
      mistake = await T.fetchText(`/explore/check?${values()}`, { signal: mine.signal });
    } catch (error) { if (error.name === "AbortError") return; } // whatever else goes wrong is said by the page itself
    if (mine !== asked) return;
    if (mistake) {
      rest();
      wrong(true);
      show(T.nodes(mistake), T.texts.queryOld);
      old(true);
      return;
    }
    leave(extra);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); run(event.submitter); });
  $("cancel").addEventListener("click", () => {
    if (asked) asked.abort();
    window.stop(); // the server sees the connection go, and ends the query
    rest();
    unlock();
    show(null, T.fill("queryCancelled", { seconds: seconds() }));
    old(true);
    box.focus();
  });
  const unlock = () => form.querySelectorAll("input").forEach((field) => { // what leaving did to the form is undone
    if (field.name === "fmt") field.remove();
    field.disabled = false;
  });
  addEventListener("pageshow", () => { unlock(); rest(); });

  // --- keys in the box -------------------------------------------------------------------------------
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter" && event.altKey) {
      event.preventDefault();
      box.setRangeText("\n", box.selectionStart, box.selectionEnd, "end");
      box.dispatchEvent(new Event("input"));
    } else if (event.key === "Enter") {
      event.preventDefault();
      run();
    } else if (step && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      walk(step);
    } else if (event.key === "Escape") {
      box.blur();
      if (T.rows) T.rows.focus();
    }
  });
  box.addEventListener("input", fit);
  if (!box.hasAttribute("aria-invalid") && new URLSearchParams(location.search).get("q")) remember(words ? words.dataset.words : box.value);
  T.key("/", T.texts.editQuery, () => { box.focus(); box.select(); }, { group });
  T.key("Ctrl ↑", T.texts.queryBefore, () => { box.focus(); walk(1); }, { group });
  T.key("Ctrl ↓", T.texts.queryAfter, () => { box.focus(); walk(-1); }, { group });
  T.key("", T.texts.queryFormat, () => run(form.querySelector("[name=fmt]")), { group });

  if (words) words.addEventListener("click", (event) => {
    event.preventDefault();
    put(words.dataset.words);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  });

  // --- the range -------------------------------------------------------------------------------------
  const follow = (id) => { const link = $(id); if (link) link.click(); };
  const is = (id) => () => Boolean($(id));
  T.key("t", T.texts.queryTime, () => T.reach($("earlier") || $("from")), { group });
  T.key("[", T.texts.queryEarlier, () => follow("earlier"), { group, when: is("earlier") });
  T.key("]", T.texts.queryLater, () => follow("later"), { group, when: is("later") });
  T.key("z", T.texts.queryOut, () => follow("out"), { group, when: is("out") });
  T.key("", T.texts.queryRefresh, () => follow("refresh"), { group });
  form.querySelector(".when").addEventListener("keydown", (event) => {
    const way = { ArrowLeft: "earlier", ArrowRight: "later" }[event.key];
    if (!way || event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    follow(way);
  });
});
