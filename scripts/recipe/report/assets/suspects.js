"use strict";
// The list of suspects: filtered by kind, set and words, a screen or two at a time.
(() => {
  const STEP = 50;
  const byId = (id) => document.getElementById(id);
  const all = JSON.parse(byId("payload").textContent);
  let shown = STEP;

  function make(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  function fill(select, values) {
    for (const value of new Set(values)) select.append(make("option", { value, textContent: value }));
  }

  function wanted() {
    const [kind, set, words] = ["kind", "set", "words"].map((id) => byId(id).value);
    const asked = words.trim().toLowerCase();
    return all.filter(
      (one) =>
        (!kind || one.kind === kind) &&
        (!set || one.set === set) &&
        (!asked || `${one.key}\n${one.reference}\n${one.hypothesis}`.toLowerCase().includes(asked)),
    );
  }

  function item(one) {
    const head = make("p", { className: "head" }, make("code", { textContent: one.key }),
      make("span", { className: "tag", textContent: one.kind }), make("span", { className: "small", textContent: one.set }),
      make("span", { className: "small", textContent: `score ${one.score}` }));
    const texts = make("dl", {},
      make("dt", { textContent: "transcript" }), make("dd", { textContent: one.reference || "(none)" }),
      make("dt", { textContent: "heard" }), make("dd", { textContent: one.hypothesis || "(nothing)" }));
    const row = make("li", {}, head, texts);
    if (one.detail) row.append(make("p", { className: "small", textContent: one.detail }));
    if (one.audio) row.append(make("audio", { controls: true, preload: "none", src: one.audio, ariaLabel: `recording ${one.key}` }));
    return row;
  }

  function show() {
    const found = wanted();
    byId("list").replaceChildren(...found.slice(0, shown).map(item));
    byId("count").textContent = `${Math.min(shown, found.length)} of ${found.length} shown`;
    byId("more").hidden = found.length <= shown;
  }

  fill(byId("kind"), all.map((one) => one.kind));
  fill(byId("set"), all.map((one) => one.set));
  for (const id of ["kind", "set", "words"]) {
    byId(id).addEventListener("input", () => { shown = STEP; show(); });
  }
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => { shown += STEP; show(); });
  document.documentElement.dataset.ready = "";
  show();
})();
