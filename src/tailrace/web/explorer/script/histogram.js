// The counts over time: a range is chosen by drag, or by arrow keys and Enter; what was chosen is an address like any other.
T.on("#histogram", (chart) => {
  const bars = [...chart.querySelectorAll("a[data-from]")];
  if (!bars.length) return;
  let at = bars.length - 1, from = at, dragged = false;
  const label = (bar) => bar.querySelector("title").textContent;
  const show = (spoken) => {
    const [low, high] = [Math.min(at, from), Math.max(at, from)];
    mark.setAttribute("x", String(low * 10));
    mark.setAttribute("width", String((high - low + 1) * 10));
    mark.removeAttribute("visibility");
    slider.setAttribute("aria-valuenow", String(at));
    const lines = bars.slice(low, high + 1).reduce((sum, bar) => sum + Number(bar.dataset.lines), 0);
    const [first, last] = [bars[low].dataset.from, bars[high].dataset.to].map((time) => time.replace("T", " ").replace("Z", ""));
    slider.setAttribute("aria-valuetext", low === high ? label(bars[at]) : T.fill("histogramBars", { first, last, count: T.count(lines) }));
    spoke.hidden = !spoken;
    spoke.textContent = slider.getAttribute("aria-valuetext");
  };
  const clear = () => { mark.setAttribute("visibility", "hidden"); spoke.hidden = true; from = at; };
  const zoom = () => {
    const [low, high] = [Math.min(at, from), Math.max(at, from)];
    const url = new URL(bars[low].getAttribute("href"), location.href);
    url.searchParams.set("to", bars[high].dataset.to);
    location.assign(url);
  };
  const place = (event) => { // which bar is under the pointer
    const box = chart.querySelector("svg").getBoundingClientRect();
    return Math.min(Math.max(Math.floor((event.clientX - box.left) / box.width * bars.length), 0), bars.length - 1);
  };

  const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect"); // around what is chosen
  for (const [name, value] of Object.entries({ class: "chosen", y: "0", height: "100" })) mark.setAttribute(name, value);
  chart.querySelector("svg").append(mark);
  const slider = document.createElement("div"); // over the bars, for keys alone: the pointer reaches the links below it
  const spoke = document.createElement("p"); // what stands under the marker, for the eye; the value says it to others
  spoke.className = "spoke";
  spoke.setAttribute("aria-hidden", "true");
  spoke.hidden = true;
  chart.append(spoke);
  Object.entries({ role: "slider", tabindex: "0", "aria-label": T.texts.histogramName, "aria-valuemin": "0", "aria-valuemax": String(at) })
    .forEach(([name, value]) => slider.setAttribute(name, value));
  slider.className = "slider";
  chart.append(slider);
  show(false);
  clear();

  slider.addEventListener("focus", () => show(true));
  slider.addEventListener("blur", clear);
  slider.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = bars.length - 1;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: last }[event.key];
    if (next !== undefined) {
      at = Math.min(Math.max(next, 0), last);
      if (!event.shiftKey) from = at;
      show(true);
    } else if (event.key === "Enter") zoom();
    else if (event.key === "Escape" && from !== at) { from = at; show(true); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  chart.addEventListener("pointerdown", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.pointerType === "touch") return; // touch scrolls, and taps follow the link
    at = from = place(event);
    dragged = false;
    const move = (moved) => {
      const here = place(moved);
      if (here === at && !dragged) return;
      dragged = true;
      at = here;
      show(true);
    };
    const end = (ended) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      if (ended.type === "pointerup" && dragged && at !== from) zoom();
      else clear();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  });
  chart.addEventListener("dragstart", (event) => event.preventDefault()); // of the links
  chart.addEventListener("click", (event) => { if (dragged) event.preventDefault(); }, true);
  T.key("h", T.texts.histogramKey, () => slider.focus(), { group: T.texts.search });
});

// A menu closes as soon as something else is looked at.
T.on("details.menu", (menu) => {
  const close = (event) => { if (menu.open && !menu.contains(event.target)) menu.open = false; };
  addEventListener("pointerdown", close);
  addEventListener("focusin", close);
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
    event.stopPropagation();
  });
});
