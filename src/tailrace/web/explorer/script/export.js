// How far an export is. The browser loads the file; the page asks the server every half second, and can cancel.
T.on("#export", (form) => {
  const LOOK_MS = 500;
  const box = $("export-state"), bar = $("export-bar"), said = $("export-said"), cancel = $("export-cancel");
  let job = "", next = 0;
  const name = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const tell = (found) => {
    const kind = found.state[0].toUpperCase() + found.state.slice(1);
    said.textContent = T.fill(`export${kind}`, { rows: T.count(Number(found.rows)), size: (Number(found.bytes) / 1e6).toFixed(1), why: found.why });
    bar.value = found.share;
    cancel.hidden = !["waiting", "looking", "sending"].includes(found.state);
    return !cancel.hidden;
  };
  const look = async (mine, missed) => {
    if (mine !== job) return;
    try {
      const found = JSON.parse(await T.fetchText(`/explore/export/${mine}`, { headers: { Accept: "application/json" } }));
      if (mine === job && tell(found)) next = setTimeout(look, LOOK_MS, mine, 0);
    } catch { // values of a metric query come at once, and are not counted; or the request has not begun yet
      if (missed < 6) next = setTimeout(look, LOOK_MS, mine, missed + 1);
      else { said.textContent = T.texts.exportUnknown; bar.hidden = cancel.hidden = true; }
    }
  };
  form.addEventListener("submit", () => {
    clearTimeout(next);
    const field = form.elements.job || form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "job" }));
    field.value = job = name();
    box.hidden = false;
    bar.hidden = false;
    bar.removeAttribute("value");
    cancel.hidden = false;
    said.textContent = T.texts.exportWaiting;
    next = setTimeout(look, LOOK_MS, job, 0);
  });
  cancel.addEventListener("click", () => T.fetchText(`/explore/export/${job}/cancel`, { method: "POST" }).catch((error) => { said.textContent = T.fill("failed", { why: error.message }); }));
});
