// The panel of a line: copies, and the lines around it opened in place.
T.on("[data-copy-from]", (button) => button.addEventListener("click", async () => {
  try { await T.copy(await T.fetchText(button.dataset.copyFrom)); } catch (error) { T.say(T.fill("failed", { why: error.message }), true); }
}));
T.on("[data-copy-link]", (button) => button.addEventListener("click", () => T.copy(new URL(button.dataset.copyLink, location).href)));
T.on("[data-copy]", (button) => button.addEventListener("click", async () => { // what is shown has symbols for what cannot be seen
  const part = button.closest("table").dataset.part, from = button.closest(".panel").querySelector("[data-copy-from*='/json']");
  if (!from) return;
  const record = JSON.parse(await T.fetchText(from.dataset.copyFrom));
  const value = part ? record[part][button.dataset.copy] : record.level;
  T.copy(typeof value === "string" ? value : JSON.stringify(value));
}));
T.on("#lines a[data-around]", (link) => link.addEventListener("click", async (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const around = link.closest(".panel").querySelector(".around");
  if (!around.hidden) { around.hidden = true; return; }
  around.hidden = false;
  await T.load(around, link.dataset.around);
}));
T.on("#lines a[data-more]", (link) => link.addEventListener("click", async (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const around = link.closest(".around"), top = () => around.querySelector(".here").getBoundingClientRect().top;
  const was = top(), url = new URL(link.href);
  url.searchParams.set("part", "around");
  await T.load(around, url.pathname + url.search);
  scrollBy(0, top() - was); // the line stays where it is
  const again = around.querySelector("a[data-more]");
  if (again) again.focus({ preventScroll: true });
}));
