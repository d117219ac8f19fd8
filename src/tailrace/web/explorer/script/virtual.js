// An endless list: pages come as they are needed, rows leave at the far end, and what is looked at stays where it is.
T.on("#lines[data-url]", (list) => {
  const MOST = 300, NEAR = 1500, ASK_MS = 5000, SETTLED_MS = 400;
  const { rows, prepare, settle, headOf } = T.rows;
  const more = { older: Boolean(list.dataset.older), newer: Boolean(list.dataset.newer) };
  const newer = $("newer"), older = $("older"), slider = $("ruler"), bubble = $("ruler-time");
  let busy = null, place = 0, asked = 0, jumps = 0;

  // --- places: a line is known by its time, the lines of that time above it, and its key ----------------------
  const parts = (text) => /^(-?\d+)-(\d+)(?:-(.+))?$/.exec(text).slice(1);
  const cursor = (row, way) => {
    const [time, skip, key] = way === "older" && row.dataset.foot ? parts(row.dataset.foot) : parts(row.dataset.at);
    const tail = `${list.dataset.version}-${key || row.dataset.key}`;
    return way === "older" ? `before-${time}-${Number(skip) + 1}-${tail}` : `after-${time}-${skip}-${tail}`;
  };
  const timeOf = (row) => BigInt(parts(row.dataset.at)[0]);
  const page = async (at) => T.nodes(await T.fetchText(list.dataset.url + (at ? `&cur=${at}` : ""))).querySelector("[data-version]");

  const tell = () => {
    newer.hidden = !more.newer && !newer.dataset.failed;
    newer.querySelector("a").hidden = false;
    older.querySelector("a").hidden = !more.older;
    older.querySelector("span").hidden = more.older;
  };
  const failed = (box, error, again) => {
    const note = document.createElement("p"), button = document.createElement("button");
    note.className = "missing";
    note.textContent = T.fill("loadFailed", { why: error.message || T.texts.offline });
    button.textContent = T.texts.again;
    button.className = "button";
    button.addEventListener("click", () => { note.remove(); again(); });
    note.append(" ", button);
    box.append(note);
    box.hidden = false;
  };

  // --- keeping the place -----------------------------------------------------------------------------
  const edge = () => { const tools = list.closest(".list").querySelector(".tools"); return tools ? tools.getBoundingClientRect().bottom : 0; };
  const firstSeen = () => { const top = edge(); return rows().find((row) => row.getBoundingClientRect().bottom > top + 1); };
  const keeping = (change) => {
    const anchor = firstSeen(), was = anchor && anchor.getBoundingClientRect().top;
    change();
    if (anchor && anchor.isConnected) { const by = anchor.getBoundingClientRect().top - was; if (by) scrollBy(0, by); }
  };
  const remove = (row) => {
    const next = row.nextElementSibling;
    if (next && next.matches(".opened")) next.remove();
    row.remove();
  };
  const trim = (way) => { // rows leave at the end that is far; a focus in them goes to the nearest that stays
    const all = rows(), over = all.length - MOST;
    if (over <= 0) return;
    const gone = way === "older" ? all.slice(0, over) : all.slice(-over);
    const stays = way === "older" ? all[over] : all[MOST - 1];
    if (gone.some((row) => row.contains(document.activeElement))) headOf(stays).focus({ preventScroll: true });
    gone.forEach(remove);
    more[way === "older" ? "newer" : "older"] = true;
  };

  // --- pages -----------------------------------------------------------------------------------------
  const extend = async (way) => {
    if (busy) return busy;
    const all = rows();
    if (!more[way] || T.rows.live || !all.length) return false;
    const box = way === "older" ? older : newer, jump = jumps;
    box.setAttribute("aria-busy", "true");
    busy = (async () => {
      try {
        const got = await page(cursor(way === "older" ? all.at(-1) : all[0], way));
        if (jump !== jumps || T.rows.live) return false;
        prepare(got);
        T.mount(got);
        const fresh = [...got.children];
        more[way] = Boolean(got.dataset[way]) && fresh.length > 0;
        keeping(() => {
          if (way === "older") list.append(...fresh); else list.prepend(...fresh);
          trim(way);
          tell();
        });
        grown(got);
        settle();
        return fresh.length > 0;
      } catch (error) {
        more[way] = false;
        failed(box, error, () => { more[way] = true; extend(way); });
        return false;
      } finally { busy = null; box.removeAttribute("aria-busy"); }
    })();
    return busy;
  };
  const jump = async (at, { last = false, focus = false } = {}) => {
    const mine = ++jumps;
    try {
      const got = await page(at);
      if (mine !== jumps || !got) return;
      prepare(got);
      T.mount(got);
      list.replaceChildren(...got.children);
      more.older = Boolean(got.dataset.older);
      more.newer = Boolean(at) && Boolean(got.dataset.newer);
      grown(got);
      settle();
      tell();
      const box = list.getBoundingClientRect();
      scrollTo(0, scrollY + (last ? box.bottom - innerHeight + 60 : Math.min(box.top - edge(), box.top)));
      const all = rows(), target = last ? all.at(-1) : all[0];
      if (focus && target) { T.rows.make(headOf(target)); headOf(target).focus({ preventScroll: true }); }
      if (all.length) T.say(T.fill("linesLoaded", { count: T.count(all.length), from: got.dataset.from, to: got.dataset.to }));
      look();
    } catch (error) { failed(newer, error, () => jump(at, { last, focus })); }
  };
  const oldest = () => `after-${BigInt(list.dataset.start) - 1n}-0`;
  const end = (which) => jump(which === "newest" ? "" : oldest(), { last: which === "oldest", focus: true });

  // --- what came in meanwhile -------------------------------------------------------------------------
  const grown = async (got) => {
    if (got.dataset.version === list.dataset.version || Date.now() - asked < ASK_MS) return;
    asked = Date.now();
    try {
      const note = T.nodes(await T.fetchText(`${list.dataset.url}&part=arrived&cur=before-0-0-${list.dataset.version}-${"0".repeat(12)}-0`));
      $("arrived").replaceChildren(note);
    } catch { /* said when lines are asked for again */ }
  };

  // --- the bar over time: places by how many lines lie above, as the histogram counts them -----------------------
  const bars = slider ? slider.dataset.bars.split(" ").filter(Boolean).map((one) => one.split(":")).map(([start, until, count]) => [BigInt(start), BigInt(until), Number(count)]).reverse() : [];
  const total = bars.reduce((sum, [, , count]) => sum + count, 0);
  const spoken = (time) => new Date(Number(time / 1000000n)).toISOString().replace("T", " ").slice(0, 19);
  const timeAt = (share) => {
    let left = share * total;
    for (const [start, until, count] of bars) {
      if (left <= count) return until - BigInt(Math.round(Number(until - start) * left / count));
      left -= count;
    }
    return bars.length ? bars.at(-1)[0] : 0n;
  };
  const shareAt = (time) => {
    let over = 0;
    for (const [start, until, count] of bars) {
      if (time >= until) break;
      over += time >= start ? count * Number(until - time) / Number(until - start) : count;
    }
    return total ? over / total : 0;
  };
  const show = (time) => {
    slider.value = Math.round(shareAt(time) * Number(slider.max));
    slider.setAttribute("aria-valuetext", spoken(time));
  };
  let moving = 0; // a timer, while the list has not come to where the bar is
  const steer = () => {
    const share = slider.value / slider.max, time = timeAt(share);
    bubble.textContent = spoken(time);
    bubble.hidden = false;
    slider.setAttribute("aria-valuetext", spoken(time));
    clearTimeout(moving);
    const mine = moving = setTimeout(async () => {
      await jump(share === 0 ? "" : share === 1 ? oldest() : `before-${time}-0`, { last: share === 1 });
      if (mine === moving) { moving = 0; bubble.hidden = true; }
    }, 160);
  };
  if (slider) {
    slider.addEventListener("input", steer);
    slider.addEventListener("keydown", (event) => { // down is older; browsers do not agree on that
      const step = { ArrowDown: 10, ArrowUp: -10, PageDown: 100, PageUp: -100 }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      slider.value = Number(slider.value) + step;
      steer();
    });
  }

  // --- scrolling --------------------------------------------------------------------------------------
  const remember = () => { // where one is belongs to the address
    const first = firstSeen(), url = new URL(location);
    const head = !first || (first === rows()[0] && !more.newer) || list.getBoundingClientRect().top > edge();
    if (head && !more.newer) url.searchParams.delete("cur");
    else if (first) url.searchParams.set("cur", `before-${first.dataset.at}`);
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  };
  let drawn = 0;
  const look = () => {
    drawn = 0;
    const box = list.getBoundingClientRect(), first = firstSeen();
    if (slider && first && !moving) show(timeOf(first));
    if (T.rows.live) return;
    if (more.older && box.bottom < innerHeight + NEAR) extend("older").then((did) => did && soon());
    else if (more.newer && box.top < 0 && box.top > -NEAR) extend("newer").then((did) => did && soon());
    clearTimeout(place);
    place = setTimeout(remember, SETTLED_MS);
  };
  const soon = () => { if (!drawn) drawn = requestAnimationFrame(look); };
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon, { passive: true });
  for (const [box, way] of [[newer, "newer"], [older, "older"]]) {
    box.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (link.dataset.end) end(link.dataset.end); else extend(way);
    });
  }
  document.querySelectorAll("a.in-place").forEach((link) => link.addEventListener("click", () => { // another form of the same lines
    const url = new URL(link.href), at = new URL(location).searchParams;
    for (const name of ["cur", "sel"]) if (at.get(name)) url.searchParams.set(name, at.get(name)); else url.searchParams.delete(name);
    link.href = url.href;
  }));
  history.scrollRestoration = "manual";
  if (new URL(location).searchParams.has("cur") && !location.hash) scrollTo(0, scrollY + list.getBoundingClientRect().top - edge());
  T.list = { extend, end, jump };
  tell();
  soon();
});
