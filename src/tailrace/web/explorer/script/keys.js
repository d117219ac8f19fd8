// Keys, their list, and the palette with every action. Single letters act while no field is edited, and can be switched off.
const help = $("help"), palette = $("palette"), keysOn = $("keys-on");
const dialogs = () => document.querySelector("dialog[open]");
const editing = (node) => node.closest("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select, [contenteditable=true]");

for (const link of document.querySelectorAll(".views a")) {
  T.key(`g ${link.dataset.key}`, T.fill("goTo", { name: link.firstChild.textContent.trim() }), () => link.click());
}
T.key("?", T.texts.help, () => showHelp());

const find = (key) => T.actions.find((one) => one.key === key && one.when());
let first = ""; // of two keys
addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    if (!palette.open) showPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || dialogs() || editing(event.target)) return;
  if (!keysOn.checked && event.key.length === 1) return;
  const two = first ? `${first} ${event.key}` : "";
  first = !first && event.key === "g" ? "g" : "";
  const action = find(two || event.key);
  if (action) { event.preventDefault(); first = ""; action.act(event); }
});

const cap = (key) => {
  const made = document.createElement("kbd");
  made.textContent = key === " " ? "Space" : key;
  return made;
};

// --- the list of keys ------------------------------------------------------------------------------
const showHelp = () => {
  const groups = new Map();
  for (const one of T.actions) if (one.key) groups.set(one.group, [...(groups.get(one.group) || []), one]);
  $("help-keys").replaceChildren(...[...groups].flatMap(([name, list]) => {
    const title = document.createElement("h3"), keys = document.createElement("dl");
    title.textContent = name;
    for (const one of list) {
      const key = document.createElement("dt"), text = document.createElement("dd");
      for (const part of one.key.split(/(?<=.) /)) key.append(cap(part), " "); // "g x" is two keys, " " is one
      text.textContent = one.text;
      keys.append(key, text);
    }
    return [title, keys];
  }));
  help.showModal();
};
$("help-open").addEventListener("click", showHelp);
keysOn.checked = T.memory.get("keys") !== "off";
keysOn.addEventListener("change", () => {
  T.memory.set("keys", keysOn.checked ? "on" : "off");
  T.say(keysOn.checked ? T.texts.keysOn : T.texts.keysOff, true);
});

// --- the palette -----------------------------------------------------------------------------------
const box = $("palette-q"), list = $("palette-list");
let shown = [], at = 0;
const mark = () => {
  [...list.children].forEach((one, number) => one.setAttribute("aria-selected", String(number === at)));
  const current = list.children[at];
  if (current && shown.length) { box.setAttribute("aria-activedescendant", current.id); current.scrollIntoView({ block: "nearest" }); }
  else box.removeAttribute("aria-activedescendant");
};
const refresh = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = T.actions.filter((one) => one.when() && words.every((word) => one.text.toLowerCase().includes(word)));
  at = 0;
  list.replaceChildren(...(shown.length ? shown : [{ text: T.texts.noAction, key: "" }]).map((one, number) => {
    const item = document.createElement("li");
    item.id = `action-${number}`;
    item.setAttribute("role", "option");
    item.append(one.text);
    if (one.key) item.append(cap(one.key));
    item.addEventListener("click", () => run(number));
    return item;
  }));
  mark();
};
const run = (number) => { palette.close(); if (shown[number]) shown[number].act(); };
const showPalette = () => { box.value = ""; refresh(); palette.showModal(); box.focus(); };
box.addEventListener("input", refresh);
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && shown.length) { event.preventDefault(); at = (at + step + shown.length) % shown.length; mark(); }
  if (event.key === "Enter") { event.preventDefault(); run(at); }
});
$("palette-open").addEventListener("click", showPalette);
