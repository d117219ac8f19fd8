// The editor of alerts: the preview follows the form, and the back-test runs beside it until it is done or stopped.
T.on("#alert-form", (form) => {
  const preview = $("alert-preview"), test = $("alert-test");
  const address = (url) => `${url}?${new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "webhook"))}`;
  let asked = null, timer = 0;
  const renew = async () => {
    if (asked) asked.abort();
    const mine = asked = new AbortController();
    if (await T.load(preview, address(preview.dataset.url), { signal: mine.signal }) && mine === asked) T.say(T.texts.alertsShown);
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(renew, 400); };
  form.addEventListener("input", (event) => { if (event.target.name !== "webhook") later(); });

  let running = null;
  const stop = () => { if (running) running.abort(); };
  form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.id === "alert-save") return;
    event.preventDefault();
    if (event.submitter && event.submitter.id === "alert-backtest") run(); else renew();
  });
  const run = async () => {
    stop();
    const mine = running = new AbortController(), began = Date.now();
    const seconds = () => Math.round((Date.now() - began) / 1000);
    const card = document.createElement("div"), text = document.createElement("p"), button = document.createElement("button");
    card.className = "card form";
    button.type = "button";
    button.textContent = T.texts.alertsStop;
    button.addEventListener("click", stop);
    const tell = () => { text.textContent = T.fill("alertsTesting", { seconds: seconds() }); };
    card.append(text, button);
    test.replaceChildren(card);
    tell();
    const clock = setInterval(tell, 1000);
    try {
      const part = T.nodes(await T.fetchText(address(test.dataset.url), { signal: mine.signal }));
      test.replaceChildren(part);
      T.mount(test);
      T.say(T.fill("alertsDone", { seconds: seconds() }));
      test.scrollIntoView({ block: "nearest" });
    } catch (error) {
      button.remove();
      text.textContent = error.name === "AbortError" ? T.texts.alertsStopped : T.fill("failed", { why: error.message || T.texts.offline });
      T.say(text.textContent);
    } finally { clearInterval(clock); if (mine === running) running = null; }
  };
});
T.on("#main:has(.alert, .rules)", (main) => { // from name to name
  const step = (by) => {
    const rows = [...main.querySelectorAll(".alert h3 a, .rules tbody th a")], at = rows.indexOf(document.activeElement);
    if (rows.length) rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))].focus();
  };
  T.key("j", T.texts.alertsNext, () => step(1), { group: T.texts.alertsPage });
  T.key("k", T.texts.alertsBefore, () => step(-1), { group: T.texts.alertsPage });
  T.key("/", T.texts.alertsFilter, () => main.querySelector(".filter input:not([type=hidden])").focus(), { group: T.texts.alertsPage });
});
T.on("#new-alert", (link) => T.key("n", T.texts.alertsNew, () => link.click(), { group: T.texts.alertsPage }));
