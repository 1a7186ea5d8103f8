"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();
  theme.hidden = false;

  const data = document.getElementById("all-queries");
  if (!data) return;
  const STEP = 50;
  const all = JSON.parse(data.textContent);
  const lowered = all.map((row) => row[0].toLowerCase());
  const rank = data.dataset.direction === "min" ? -1 : 1;
  const [box, kind, body, said, more] =
    ["filter", "kind", "all-rows", "said", "more"].map((id) => document.getElementById(id));
  const shown = [...document.querySelectorAll(".query")];
  const texts = shown.map((one) => one.textContent.toLowerCase());
  let found = all;
  let count = 0;

  const is = (row, what) => what === "all" || Math.sign(rank * (row[2] - row[1])) === +what;
  const cell = (text, type, tag = "td") => {
    const made = document.createElement(tag);
    made.className = type;
    made.textContent = text;
    return made;
  };
  const add = () => {
    const rows = found.slice(count, count + STEP).map((row) => {
      const made = document.createElement("tr");
      const gain = row[2] - row[1];
      const head = cell(row[0], "text", "th");
      head.scope = "row";
      const sign = gain === 0 ? "" : rank * gain > 0 ? " better" : " worse";
      made.append(head, cell(row[1].toFixed(3), "number"), cell(row[2].toFixed(3), "number"),
        cell((gain > 0 ? "+" : "") + gain.toFixed(3).replace("-", "−"), "number" + sign));
      return made;
    });
    body.append(...rows);
    count += rows.length;
    more.hidden = count >= found.length;
    said.textContent = `${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} queries`
      + (count < found.length ? `, the first ${count.toLocaleString("en")} shown` : "");
  };
  const choose = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = all.filter((row, i) => is(row, kind.value) && words.every((w) => lowered[i].includes(w)));
    shown.forEach((one, i) => {
      one.hidden = !(kind.value === "all" || one.dataset.kind === kind.value)
        || !words.every((w) => texts[i].includes(w));
    });
    for (const group of document.querySelectorAll(".group")) {
      group.querySelector(".none").hidden = !!group.querySelector(".query:not([hidden])");
    }
    body.replaceChildren();
    count = 0;
    add();
  };
  let waiting;
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 100); });
  kind.addEventListener("change", choose);
  more.addEventListener("click", add);
  for (const one of document.querySelectorAll(".with-script")) one.hidden = false;
  choose();
})();
