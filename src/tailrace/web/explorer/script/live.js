// Live lines over server-sent events. They come to the top, and wait while somebody reads further down.
T.on("#live", (live) => {
  const ROWS_MOST = 1000; // lines that a live page keeps; older ones leave at the bottom
  const list = $("lines"), state = $("state"), paused = $("paused"), resume = $("resume");
  let source = null, waiting = [], held = 0, arrived = 0, dropped = 0, told = 0, next = 0;
  const away = () => scrollY > list.getBoundingClientRect().top + scrollY + 40;
  const say = (text, always) => { // at most one message a second for a screen reader
    clearTimeout(next);
    const rest = always ? 0 : told + 1000 - Date.now();
    if (rest > 0) { next = setTimeout(() => say(text, true), rest); return; }
    told = Date.now();
    state.textContent = text;
  };
  const tell = (always) => {
    const text = T.fill("liveNew", { count: T.count(arrived) });
    say(dropped ? `${text} · ${T.fill("liveLeftOut", { count: T.count(dropped) })}` : text, always);
  };
  const show = (html) => {
    const part = T.nodes(html); // rendered and escaped by the server, from the same template as the list
    T.rows.prepare(part);
    part.querySelectorAll(".row").forEach((row) => row.classList.add("new"));
    list.prepend(part);
    while (list.children.length > ROWS_MOST) list.lastElementChild.remove();
    const empty = document.querySelector(".empty");
    if (empty) empty.hidden = true;
    T.rows.settle();
  };
  const pausing = () => {
    paused.hidden = !held;
    resume.textContent = T.fill(held === 1 ? "livePausedOne" : "livePaused", { count: T.count(held) });
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
      if (source && source.readyState === EventSource.CLOSED) { stop(); say(T.texts.liveAway, true); }
      else say(T.texts.liveLost, true);
    };
  };
  const stop = () => {
    if (!source) return;
    source.close();
    source = null;
    live.setAttribute("aria-pressed", "false");
    flush();
    say(T.fill("liveStopped", { count: T.count(arrived) }), true);
  };
  live.addEventListener("click", () => (source ? stop() : start()));
  resume.addEventListener("click", () => {
    list.querySelectorAll("details[open]").forEach((row) => { row.open = false; });
    flush();
    list.scrollIntoView({ block: "start" });
    scrollTo({ top: 0 });
  });
  addEventListener("scroll", () => { if (source && held && !away() && !list.querySelector("details[open]")) flush(); }, { passive: true });
  addEventListener("pagehide", () => source && source.close());
  T.key("l", T.texts.liveSwitch, () => live.click(), { group: T.texts.lines });
  if (list.dataset.live === "1") start();
});
