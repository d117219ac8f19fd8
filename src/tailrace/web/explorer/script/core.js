// What the parts of the script share. The page works without any of it: the script saves ways to the server and adds keys.
const $ = (id) => document.getElementById(id);
const T = (() => {
  const setups = []; // [selector, setup]: run for every element that is there, or comes with a fragment
  const actions = []; // {key, text, act, when}: what keys do, and what the palette lists
  const memory = { // small habits of a browser; nothing that changes a result
    get: (name) => { try { return localStorage.getItem(`tailrace.${name}`); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(`tailrace.${name}`, value); } catch { /* private windows */ } },
  };

  const fill = (name, values = {}) => TEXTS[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

  const mount = (root) => {
    for (const [selector, setup] of setups) {
      if (root.matches && root.matches(selector)) setup(root);
      root.querySelectorAll(selector).forEach((one) => setup(one));
    }
  };

  // --- what a screen reader is told: at most one message a second ------------------------------------
  let told = 0, next = 0;
  const say = (text, now = false) => {
    clearTimeout(next);
    const rest = now ? 0 : told + 1000 - Date.now();
    if (rest > 0) { next = setTimeout(() => say(text, true), rest); return; }
    told = Date.now();
    $("said").textContent = text;
  };

  // --- fragments: the server renders them by the template of the whole page ---------------------------
  const fetchText = async (url, options = {}) => {
    const answer = await fetch(url, { headers: { Accept: "text/html" }, ...options });
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(text.slice(0, 300)), { status: answer.status });
    return text;
  };
  const nodes = (html) => {
    const part = document.createElement("template");
    part.innerHTML = html; // escaped by the server; without script, by the policy of this page
    return part.content;
  };
  const load = async (target, url, options) => { // put a fragment into an element; say so when it cannot be had
    target.setAttribute("aria-busy", "true");
    try {
      const part = nodes(await fetchText(url, options));
      target.replaceChildren(part);
      mount(target);
      return true;
    } catch (error) {
      if (error.name === "AbortError") return false;
      const note = document.createElement("p");
      note.className = "missing";
      note.textContent = fill("failed", { why: error.message || TEXTS.offline });
      target.replaceChildren(note);
      return false;
    } finally { target.removeAttribute("aria-busy"); }
  };

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); say(TEXTS.copied, true); return true; } catch {
      const area = document.createElement("textarea"); // where there is no clipboard: pages without TLS
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      say(done ? TEXTS.copied : TEXTS.notCopied, true);
      return done;
    }
  };

  const reach = (element) => { // focus what may be folded away
    const fold = element.closest(".fold");
    if (fold) fold.open = true;
    element.focus();
  };

  return {
    texts: TEXTS,
    reach,
    fill,
    memory,
    mount,
    say,
    fetchText,
    nodes,
    load,
    copy,
    actions,
    on: (selector, setup) => { setups.push([selector, setup]); },
    // `key` is what `KeyboardEvent.key` says, "g x" for x after g, or "" for the palette alone; `when` is asked first
    key: (key, text, act, { when = () => true, group = TEXTS.always } = {}) => { actions.push({ key, text, act, when, group }); },
    count: (number) => number.toLocaleString("en"),
    begin: () => { document.documentElement.classList.add("js"); mount(document.documentElement); },
  };
})();
