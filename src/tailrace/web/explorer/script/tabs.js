// The tabs of a result have numbers.
T.on(".with-deeds .tabs", (tabs) => tabs.querySelectorAll("a").forEach((tab, number) => {
  T.key(String(number + 1), T.fill("resultTab", { name: tab.firstChild.textContent.trim() }), () => tab.click(), { group: T.texts.search });
}));
