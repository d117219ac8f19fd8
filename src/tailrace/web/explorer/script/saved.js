// What can be done with a search: the links say what is shown now, the menu of saved searches comes when it is opened.
T.on("[data-now]", (link) => { // the address may have changed since the page was sent: an opened line, live lines
  const now = () => { if (location.pathname === "/" || location.pathname === "/explore") link.href = link.dataset.now + location.search; };
  for (const kind of ["pointerdown", "focus", "click"]) link.addEventListener(kind, now);
});
T.on(".saved-menu", (menu) => {
  const box = menu.querySelector(".saved-box");
  let asked = false;
  menu.addEventListener("toggle", async () => {
    if (menu.open && !asked) { asked = true; asked = await T.load(box, menu.dataset.menu); }
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("click", (event) => { if (menu.open && !menu.contains(event.target)) menu.open = false; });
  T.key("", T.texts.savedSearches, () => { menu.open = true; T.reach(menu.querySelector("summary")); }, { group: T.texts.search });
});
T.on("[data-copy]", (button) => button.addEventListener("click", () => T.copy($(button.dataset.copy).value)));
for (const [id, name] of [["act-save", "saveSearch"], ["act-share", "shareSearch"], ["act-export", "exportSearch"]]) {
  if ($(id)) T.key("", T.texts[name], () => $(id).click(), { group: T.texts.search });
}
