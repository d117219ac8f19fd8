// Drawings over time: the values at a time, read from the table beside the drawing, by pointer or by arrow keys.
T.on(".plot", (plot) => {
  const svg = plot.querySelector("svg.curves, svg.bars"), table = plot.querySelector(".twin table");
  const rows = table ? [...table.tBodies[0].rows] : [];
  if (!svg || rows.length < 2) return;
  const heads = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const line = document.createElement("p");
  line.className = "readout";
  svg.before(line);
  const time = (row) => Date.parse(`${row.cells[0].textContent.trim().replace(" ", "T")}Z`);
  const bars = svg.matches(".bars") ? svg.querySelectorAll(".hit").length : 0;
  const first = Number(svg.dataset.start), last = Number(svg.dataset.end); // milliseconds
  const show = (at) => {
    const row = rows[at];
    const said = [...row.cells].slice(1).map((cell, place) => [heads[place], cell.textContent.trim()]).filter(([, value]) => value !== "–" && value !== "0");
    line.textContent = `${row.cells[0].textContent.trim()}   ${said.map(([name, value]) => `${name} ${value}`).join(" · ") || "–"}`;
    svg.setAttribute("aria-valuenow", at);
    svg.setAttribute("aria-valuetext", line.textContent);
    now = at;
  };
  let now = rows.length;
  for (const gone of ["pointerleave", "blur"]) svg.addEventListener(gone, () => { line.textContent = ""; });
  svg.addEventListener("keydown", (event) => { if (event.key === "Escape") line.textContent = ""; });
  for (const link of svg.querySelectorAll("a")) { // a slider has no links in it: the table has them, and Enter and clicks follow those
    const group = document.createElementNS(svg.namespaceURI, "g");
    group.append(...link.childNodes);
    link.replaceWith(group);
  }
  const follow = () => { const link = rows[now]?.querySelector("a"); if (link) link.click(); };
  svg.addEventListener("click", follow);
  svg.addEventListener("keydown", (event) => { if (event.key === "Enter") follow(); });
  svg.removeAttribute("aria-hidden");
  for (const [name, value] of [["tabindex", 0], ["focusable", "true"], ["role", "slider"], ["aria-label", T.fill("chartKeys", { name: plot.querySelector("figcaption").textContent })], ["aria-valuemin", 0], ["aria-valuemax", rows.length - 1], ["aria-valuenow", rows.length - 1]]) svg.setAttribute(name, value);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -rows.length, End: rows.length }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(Math.min(Math.max(now + step, 0), rows.length - 1));
  });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), at = first + (last - first) * (event.clientX - box.left) / box.width;
    const late = bars ? (last - first) / bars : 0; // a bar stands at its beginning
    let best = 0;
    rows.forEach((row, place) => { if (Math.abs(time(row) + late / 2 - at) < Math.abs(time(rows[best]) + late / 2 - at)) best = place; });
    show(best);
  });
});
