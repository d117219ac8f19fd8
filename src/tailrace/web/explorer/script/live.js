// Live lines over server-sent events. They come to the top; who reads further down, or has a line open, pauses them.
T.on("#live", (live) => {
  const KEPT = 300; // lines on the page while it is live, and lines that wait while it is paused; older ones leave
  const SLICE = 30; // lines put into the page at once: the work of one frame
  const RATE_MS = 5000, HIDDEN_MS = 5000, RETRY_MS = 2000;
  const list = $("lines"), bar = $("tail"), counts = $("tail-counts"), pauseButton = $("tail-pause");
  const note = $("tail-note"), paused = $("paused"), resume = $("resume");
  if (!bar) return;
  let source = null, place = "", on = false, lost = false, resting = false; // resting: connection given back, page hidden
  let held = false, waiting = [], heldBack = 0, sum = {}, recent = [], clock = 0, retry = 0, hiding = 0, drawing = 0;

  // --- what is said ----------------------------------------------------------------------------------
  const part = (tag, text) => { const one = document.createElement(tag); one.textContent = text; return one; };
  const tell = () => {
    const now = performance.now();
    recent = recent.filter(([at]) => now - at < RATE_MS);
    const rate = recent.reduce((all, [, count]) => all + count, 0) / Math.max(1, Math.min(now - sum.since, RATE_MS) / 1000);
    const said = [part("b", T.fill("liveCount", { count: T.count(sum.arrived) })), part("span", T.fill("liveRate", { rate: T.count(Math.round(rate)) }))];
    if (sum.left) {
      const sample = part("span", T.fill(sum.least ? "liveSampleLeast" : "liveSample", { left: T.count(sum.left) }));
      sample.className = "badge";
      said.push(sample);
    }
    if (sum.late) said.push(part("span", T.fill("liveLate", { count: T.count(sum.late) })));
    if (lost) said.push(part("b", T.texts.liveAway));
    counts.replaceChildren(...said);
  };
  const tellPause = () => {
    const count = heldBack;
    paused.hidden = !held;
    resume.textContent = T.fill(count ? (count === 1 ? "livePausedOne" : "livePaused") : "livePausedNone", { count: T.count(count) });
    pauseButton.setAttribute("aria-pressed", String(held));
    pauseButton.textContent = held ? T.texts.liveResume : T.texts.livePause;
  };
  const tellRange = (name, from, to, count) => { // a note with a link to all lines of a range
    const at = (text) => text.slice(0, 19).replace("T", " ");
    const link = part("a", T.texts[`${name}Link`]), url = new URL(location);
    for (const key of ["cur", "live", "sel", "tab"]) url.searchParams.delete(key);
    url.searchParams.set("from", from);
    url.searchParams.set("to", to);
    link.href = url.href;
    note.replaceChildren(T.fill(name, { from: at(from), to: at(to), count: T.count(count) }), " ", link);
    note.hidden = false;
    T.say(note.firstChild.textContent, true);
    return url;
  };
  const inAddress = (change) => {
    const url = new URL(location);
    change(url.searchParams);
    history.replaceState(history.state, "", url);
  };

  // --- rows: a few each frame, never more than the page keeps --------------------------------------------
  let coming = []; // rows, oldest first
  const known = new Set(); // lines that the page had when it began to follow: none is shown twice
  const nameOf = (row) => `${(row.dataset.at || "").replace(/-\d+$/, "")} ${row.dataset.key}`;
  const draw = () => {
    drawing = 0;
    const rows = coming.splice(0, SLICE);
    if (!rows.length) return;
    list.prepend(...rows.reverse());
    while (list.children.length > KEPT) list.lastElementChild.remove();
    if (T.rows) T.rows.settle();
    if (coming.length) drawing = requestAnimationFrame(draw);
  };
  const show = (html) => {
    const fresh = T.nodes(html); // rendered and escaped by the server, from the same template as the list
    if (T.rows) T.rows.prepare(fresh);
    T.mount(fresh);
    coming.push(...[...fresh.children].filter((row) => !known.has(nameOf(row))).reverse());
    if (coming.length > KEPT) sum.left += coming.splice(0, coming.length - KEPT).length;
    document.querySelectorAll(".list .empty").forEach((one) => { one.hidden = true; });
    if (!drawing) drawing = requestAnimationFrame(draw);
  };
  const wait = (html, shown, arrived) => {
    waiting.push([html, shown]);
    heldBack += arrived;
    let rows = waiting.reduce((all, [, count]) => all + count, 0);
    while (waiting.length > 1 && rows - waiting[0][1] >= KEPT) { const count = waiting.shift()[1]; rows -= count; sum.left += count; }
  };

  // --- pause -----------------------------------------------------------------------------------------
  const scroller = () => { for (let at = list; at; at = at.parentElement) if (at.scrollTop > 0 && at !== document.documentElement) return at; return null; };
  const away = () => Boolean(scroller()) || list.getBoundingClientRect().top < -40;
  const hold = () => { if (!held) { held = true; tellPause(); T.say(resume.textContent, true); } };
  const flush = () => {
    const html = waiting;
    held = false;
    waiting = [];
    heldBack = 0;
    html.forEach(([one]) => { if (one) show(one); });
    tellPause();
  };
  const go = () => {
    if (!held) return;
    list.querySelectorAll("details[open]").forEach((row) => { row.open = false; });
    const inner = scroller();
    if (inner) inner.scrollTop = 0;
    if (list.getBoundingClientRect().top < 0) scrollTo({ top: list.getBoundingClientRect().top + scrollY - 120 });
    flush();
  };

  // --- the stream ------------------------------------------------------------------------------------
  const inOrder = (time) => (time.includes(".") ? time.slice(0, -1) : `${time.slice(0, -1)}.`).padEnd(30, "0");
  const url = () => live.dataset.url + (place ? `${live.dataset.url.includes("?") ? "&" : "?"}after=${place}` : "");
  const take = (event) => {
    const cut = event.data.indexOf("\n"), head = JSON.parse(event.data.slice(0, cut)), html = event.data.slice(cut + 1);
    if (event.lastEventId) place = event.lastEventId;
    const [from, to] = head.times || [head.at, head.at];
    for (const at of [from, head.at]) if (!sum.from || inOrder(at) < inOrder(sum.from)) sum.from = at;
    for (const at of [to, head.at]) if (!sum.to || inOrder(at) > inOrder(sum.to)) sum.to = at;
    sum.arrived += head.arrived;
    sum.left += head.left;
    sum.late += head.late;
    sum.least ||= head.least;
    if (head.arrived) recent.push([performance.now(), head.arrived]);
    if (head.gap) tellRange("liveGap", head.gap[0], head.gap[1], 0);
    else if (lost) T.say(T.texts.liveBack, true);
    lost = false;
    if (!held && head.shown && (away() || list.querySelector("details[open]"))) hold();
    if (held) { wait(html, head.shown, head.arrived); tellPause(); } else if (html) show(html);
    tell();
  };
  const broken = (opened) => { // the browser tries again by itself, unless the server answered that it will not
    if (opened !== source) return;
    if (!lost) T.say(T.texts.liveAway, true);
    lost = true;
    tell();
    if (opened.readyState === EventSource.CLOSED) { close(); retry = setTimeout(ask, RETRY_MS); }
  };
  const ask = async () => { // why a stream is refused is not told to those who open it: ask as others do
    const stopping = new AbortController();
    try {
      const answer = await fetch(url(), { headers: { Accept: "text/event-stream" }, signal: stopping.signal });
      if (!on) return;
      const refused = answer.status >= 400 && ![429, 502, 503, 504].includes(answer.status);
      if (refused) { const why = await answer.text(); stop(); say("liveEnded", why.slice(0, 300)); }
      else if (answer.ok) connect();
      else retry = setTimeout(ask, RETRY_MS);
    } catch { if (on) retry = setTimeout(ask, RETRY_MS); } finally { stopping.abort(); }
  };
  const say = (name, why) => { note.textContent = T.fill(name, { why }); note.hidden = false; T.say(note.textContent, true); };
  const close = () => { clearTimeout(retry); if (source) source.close(); source = null; };
  const connect = () => {
    close();
    const opened = source = new EventSource(url());
    opened.addEventListener("lines", take);
    opened.addEventListener("failed", (event) => { stop(); say("liveEnded", JSON.parse(event.data).error.what); });
    opened.onerror = () => broken(opened);
  };
  const start = () => {
    const url = new URL(location), newer = $("newer");
    if (!live.dataset.place || (newer && !newer.hidden)) { // live lines go on behind the newest ones, not behind these
      for (const key of ["cur", "sel", "to"]) url.searchParams.delete(key);
      if (!/^now-/.test(url.searchParams.get("from"))) url.searchParams.delete("from");
      url.searchParams.set("live", "1");
      if (url.href !== location.href) { location.assign(url); return; }
    }
    on = true;
    place ||= live.dataset.place;
    list.querySelectorAll(".row").forEach((row) => known.add(nameOf(row)));
    sum = { arrived: 0, left: 0, late: 0, least: false, since: performance.now() };
    recent = [];
    note.hidden = true;
    bar.hidden = false;
    live.setAttribute("aria-pressed", "true");
    document.body.classList.add("following", "followed");
    if (T.rows) T.rows.live = true;
    inAddress((given) => { given.set("live", "1"); given.delete("cur"); });
    tell();
    tellPause();
    clock = setInterval(tell, 1000);
    connect();
    T.say(T.texts.liveStart, true);
  };
  const stop = () => { // the rows stay, and the address says what they are of
    if (!on) return;
    on = lost = resting = false;
    close();
    clearInterval(clock);
    flush();
    bar.hidden = true;
    live.setAttribute("aria-pressed", "false");
    document.body.classList.remove("following");
    if (T.rows) T.rows.live = false;
    inAddress((given) => given.delete("live"));
    if (sum.from && sum.from !== sum.to) history.replaceState(history.state, "", tellRange("liveStopped", sum.from, sum.to, sum.arrived));
  };

  live.addEventListener("click", () => (on ? stop() : start()));
  resume.addEventListener("click", go);
  pauseButton.addEventListener("click", () => (held ? go() : hold()));
  list.addEventListener("toggle", (event) => { if (on && event.target.open) hold(); }, true);
  addEventListener("scroll", () => { if (on && !held && away()) hold(); }, { passive: true, capture: true });
  document.addEventListener("visibilitychange", () => { // a browser has six connections to a host, for all of its tabs
    clearTimeout(hiding);
    if (document.hidden && on) hiding = setTimeout(() => { resting = true; close(); }, HIDDEN_MS);
    else if (on && resting) { resting = false; connect(); }
  });
  addEventListener("pagehide", close);
  const group = T.texts.lines;
  const free = () => !document.activeElement || !document.activeElement.closest("a, button, summary, input, select, textarea, [role=slider]");
  T.key("l", T.texts.liveSwitch, () => live.click(), { group });
  T.key(" ", T.texts.livePauseKey, () => (held ? go() : hold()), { group, when: () => on && free() });
  if (live.dataset.on) start();
});
