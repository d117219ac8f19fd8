// Dashboards: panels are asked again by themselves, while the page is in front; the file of an export is read here.
T.on("[data-refresh]", (grid) => {
  const every = Number(grid.dataset.refresh) * 1000;
  const panels = [...grid.querySelectorAll("[data-panel]")];
  let busy = false, due = Date.now() + every;
  const ask = async () => {
    if (busy) return;
    busy = true;
    const open = (panel) => [...panel.querySelectorAll("details")].map((one) => one.open);
    const waiting = [...panels];
    const next = async () => { // two at a time: other pages want to be answered too
      for (let panel = waiting.shift(); panel; panel = waiting.shift()) {
        const target = panel.querySelector(".drawn"), kept = open(panel);
        if (target.contains(document.activeElement)) continue; // nobody's focus is taken away
        await T.load(target, panel.dataset.panel);
        panel.querySelectorAll("details").forEach((one, at) => { one.open = kept[at] ?? false; });
      }
    };
    await Promise.all([next(), next()]);
    busy = false;
    due = Date.now() + every;
  };
  const turn = () => { if (!document.hidden && Date.now() >= due) ask(); };
  if (every > 0) {
    setInterval(turn, 1000);
    document.addEventListener("visibilitychange", turn);
  }
  const group = T.texts.dashboard;
  const again = async () => { await ask(); T.say(T.texts.refreshed); };
  T.key("r", T.texts.refreshNow, again, { group });
  document.getElementById("again")?.addEventListener("click", (event) => { event.preventDefault(); again(); });
});
T.on("#edit-board", (link) => T.key("e", T.texts.editDashboard, () => link.click(), { group: T.texts.dashboard }));
T.on("input[type=file]#file", (file) => file.addEventListener("change", async () => {
  if (file.files.length) document.getElementById("text").value = await file.files[0].text();
}));
