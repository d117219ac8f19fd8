// The query box: Enter runs, Alt+Enter breaks the line.
T.on("#q", (box) => {
  const fit = () => { box.rows = Math.min(box.value.split("\n").length, 6); };
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Enter" && event.altKey) {
      event.preventDefault();
      box.setRangeText("\n", box.selectionStart, box.selectionEnd, "end");
      fit();
    } else if (event.key === "Enter") {
      event.preventDefault();
      box.form.requestSubmit();
    } else if (event.key === "Escape") {
      box.blur();
      if (T.rows) T.rows.focus();
    }
  });
  box.addEventListener("input", fit);
  box.form.addEventListener("submit", () => { // defaults stay out of the address
    for (const field of box.form.querySelectorAll("input")) if (!field.value) field.disabled = true;
  });
  addEventListener("pageshow", () => box.form.querySelectorAll("input").forEach((field) => { field.disabled = false; }));
  T.key("/", T.texts.editQuery, () => { box.focus(); box.select(); }, { group: T.texts.search });
});
