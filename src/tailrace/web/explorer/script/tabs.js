// The tabs of a result have numbers.
T.on(".with-deeds .tabs", (tabs) => tabs.querySelectorAll("a").forEach((tab, number) => {
  T.key(String(number + 1), T.fill("resultTab", { name: tab.firstChild.textContent.trim() }), () => tab.click(), { group: T.texts.search });
}));

// Where one is stands in view, also where its list is wider than the window.
T.on(".tabs [aria-current], .views [aria-current]", (here) => {
  const list = here.parentElement, off = here.getBoundingClientRect().left - list.getBoundingClientRect().left;
  if (off + here.offsetWidth > list.clientWidth) list.scrollLeft += off - (list.clientWidth - here.offsetWidth) / 2;
});
