// Names and values are found while one types, among those that the page has; Enter asks the server for all.
T.on(".rail .find", (form) => {
  const box = form.querySelector("input[type=search]"), facets = [...form.parentElement.querySelectorAll("details")];
  const open = facets.map((facet) => facet.open);
  box.addEventListener("input", () => {
    const text = box.value.trim().toLowerCase();
    let found = 0;
    facets.forEach((facet, number) => {
      const named = facet.querySelector("summary").textContent.toLowerCase().includes(text);
      let values = 0;
      for (const value of facet.querySelectorAll("li")) {
        value.hidden = !named && !value.textContent.toLowerCase().includes(text);
        if (!value.hidden) values += 1;
      }
      facet.hidden = !named && !values;
      facet.open = text ? !named || facet.open : open[number];
      if (!facet.hidden) found += 1;
    });
    T.say(T.fill("railFound", { count: T.count(found) }));
  });
});
