// A new metric is tried while its form is filled in.
T.on("#metric-form", (form) => {
  const target = document.getElementById("metric-preview");
  let due = 0, asked = null;
  const ask = () => {
    const fields = new URLSearchParams(new FormData(form));
    if (!fields.get("filter") && !fields.get("expr") && !fields.get("segment")) return;
    fields.set("part", "1");
    if (asked) asked.abort();
    asked = new AbortController();
    T.load(target, `/metrics-from-logs/new?${fields}`, { signal: asked.signal });
  };
  form.addEventListener("input", (event) => {
    if (event.target.name === "name" || event.target.name === "backfill") return;
    if (event.target.name === "expr" && event.target.value) form.elements.way.value = "expr";
    if (["filter", "statistic", "property", "segment"].includes(event.target.name)) form.elements.way.value = "form";
    clearTimeout(due);
    due = setTimeout(ask, 600);
  });
});
T.on("#new-metric", (link) => T.key("n", T.texts.newMetric, () => link.click(), { group: T.texts.metrics }));
