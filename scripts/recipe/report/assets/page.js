"use strict";
// The page without this script has all tables and charts that fit on it. Here: the switch between normalizations,
// the errors in detail and the list of utterances. Text is set as text, never parsed as HTML.
(() => {
  const PAGE = 40; // utterances drawn at a time
  const MAX_CHOICES = 300; // values of a label that a menu may have; more are left to the search
  const data = JSON.parse(document.getElementById("payload").textContent);
  const base = data.models[0];
  const tests = data.tests.filter((test) => data.scores[test]);
  const state = {
    test: tests.includes(data.first.test) ? data.first.test : tests[0] ?? "",
    model: data.first.model,
    mode: data.modes[0],
    sort: "errors",
    show: "all",
    flag: "",
    language: "",
    speaker: "",
    group: "",
    search: "",
    edit: "", // kind, reference token, hypothesis token, between tabs
    base: "yes",
  };
  let audioSources = null;

  const byId = (id) => document.getElementById(id);
  const percent = (rate) => (rate === null || rate === undefined ? "–" : (100 * rate).toFixed(2) + "\u00a0%");
  const seconds = (value) => value.toFixed(value < 10 ? 2 : 1) + " s";
  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  /** An element; attributes that are functions are listeners, strings and numbers among the children are text. */
  function make(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(name, value);
      else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // ---- what is known of an utterance --------------------------------------------------------------------------

  const scored = (model, test = state.test, mode = state.mode) => data.sets[test]?.hyps[model]?.modes[mode];
  const label = (name, index) => data.sets[state.test].labels[name]?.[index] ?? "";

  function tokensOf(index) {
    const joined = data.sets[state.test].refs[state.mode][index];
    return joined === "" ? [] : joined.split(" ");
  }

  /** Errors per reference token; insertions without a reference count as one error per token. */
  const rateOf = (errors, length) => errors / Math.max(1, length);

  /** [operation, reference token, hypothesis token] for every token. */
  function alignment(tokens, edits) {
    const steps = [];
    let place = 0;
    for (const [kind, at, token] of edits) {
      while (place < at) steps.push(["C", tokens[place], tokens[place++]]);
      if (kind === "I") steps.push(["I", "", token]);
      else steps.push([kind, tokens[place++], token ?? ""]);
    }
    while (place < tokens.length) steps.push(["C", tokens[place], tokens[place++]]);
    return steps;
  }

  const hypothesis = (tokens, edits) => alignment(tokens, edits).map((step) => step[2]).filter(Boolean).join(" ");

  const textCache = new Map();
  /** Everything of an utterance that the search looks into, in lower case. */
  function searchable(index) {
    const place = [state.test, state.model, state.mode].join("\n");
    if (!textCache.has(place)) textCache.set(place, []);
    const known = textCache.get(place);
    if (known[index] === undefined) {
      const set = data.sets[state.test];
      const tokens = tokensOf(index);
      const parts = [
        set.keys[index], label("speaker", index), set.written[index], set.hyps[state.model].written[index],
        ...[tokens.join(" "), hypothesis(tokens, scored(state.model).edits[index])].flatMap((text) => [text, readable(text)]),
      ];
      known[index] = parts.filter(Boolean).join("\n").toLowerCase();
    }
    return known[index];
  }

  // ---- filter and sort ----------------------------------------------------------------------------------------

  const shows = {
    all: ["all", () => true],
    wrong: ["with errors", (row) => row.errors > 0],
    half: ["half wrong or more", (row) => row.rate >= 0.5],
    right: ["without errors", (row) => row.errors === 0],
    better: [`better than ${base}`, (row) => row.gain > 0],
    worse: [`worse than ${base}`, (row) => row.gain < 0],
  };
  const sorts = {
    errors: ["most errors", (a, b) => b.errors - a.errors || b.rate - a.rate],
    rate: ["highest error rate", (a, b) => b.rate - a.rate || b.errors - a.errors],
    better: [`most improved on ${base}`, (a, b) => b.gain - a.gain],
    worse: [`most worsened on ${base}`, (a, b) => a.gain - b.gain],
    long: ["longest audio", (a, b) => (b.seconds ?? 0) - (a.seconds ?? 0)],
    length: ["most reference tokens", (a, b) => b.length - a.length],
    order: ["order of the test set", () => 0],
  };

  const sameEdit = (tokens, [kind, at, token], wanted) =>
    kind === wanted[0] && (kind === "I" || tokens[at] === wanted[1]) && (kind === "D" || token === wanted[2]);

  /** The utterances that pass the filters, in the order asked for. */
  function selected() {
    const set = data.sets[state.test];
    const ours = scored(state.model);
    if (!ours) return [];
    const before = state.model === base ? null : scored(base);
    const wanted = state.search.toLowerCase();
    const edit = state.edit ? state.edit.split("\t") : null;
    const keep = shows[state.show][1];
    const rows = [];
    for (let index = 0; index < set.keys.length; index++) {
      if (["language", "speaker", "group"].some((name) => state[name] && label(name, index) !== state[name])) continue;
      if (state.flag && !ours.flags[index].includes(state.flag)) continue;
      const tokens = tokensOf(index);
      const errors = ours.edits[index].length;
      if (edit && !ours.edits[index].some((found) => sameEdit(tokens, found, edit))) continue;
      const gain = before ? before.edits[index].length - errors : 0;
      const row = { index, errors, gain, length: tokens.length, rate: rateOf(errors, tokens.length), seconds: set.seconds[index] };
      if (keep(row) && (!wanted || searchable(index).includes(wanted))) rows.push(row);
    }
    return rows.sort(sorts[state.sort][1]);
  }

  // ---- the list -----------------------------------------------------------------------------------------------

  let rows = [];
  let drawn = 0;

  const isWide = (char) => /^[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|^[\ud840-\ud8ff]/.test(char);

  // A digit that is a token of its own: of a number, where digits count singly.
  const isDigit = (token) => /^\p{Nd}$/u.test(token);
  const startsDigit = (token) => /^\p{Nd}/u.test(token);
  const wholeNumbers = () => (data.single_digits ?? []).includes(state.mode);
  const inNumber = (last, next) => wholeNumbers() && isDigit(last) && startsDigit(next);

  /** A text of tokens for reading: digits that count singly as numbers. */
  const readable = (text) => (wholeNumbers() ? text.replace(/(?<=(?:^| )\p{Nd}) (?=\p{Nd})/gu, "") : text);

  function columns(tokens, edits) {
    const steps = alignment(tokens, edits);
    const cells = [];
    steps.forEach(([kind, ref, hyp], place) => {
      // Between words a space that can break the line; characters of Chinese and the like stand close.
      const next = (ref || hyp), last = place && (steps[place - 1][1] || steps[place - 1][2]);
      if (place && !(isWide(next) && isWide(last)) && !inNumber(last, next)) cells.push(" ");
      const shown = { C: [ref, hyp], S: [ref, hyp], D: [ref, "–"], I: ["+", hyp] }[kind];
      cells.push(make("span", { class: kind === "C" ? "col" : "col " + kind }, make("span", {}, shown[0]), make("span", {}, shown[1])));
    });
    const spoken = `reference: ${readable(tokens.join(" ")) || "nothing"}; hypothesis: ${readable(hypothesis(tokens, edits)) || "nothing"}`;
    return make("div", { class: "cols", dir: "auto", role: "img", "aria-label": spoken },
      ...(cells.length ? cells : [make("span", { class: "small" }, "nothing on either side")]));
  }

  function kinds(edits) {
    const names = { S: "substituted", D: "deleted", I: "inserted" };
    const counts = Object.entries(names).map(([kind, name]) => [edits.filter((edit) => edit[0] === kind).length, name]);
    return counts.filter(([count]) => count).map(([count, name]) => `${count} ${name}`).join(", ");
  }

  function player(index) {
    audioSources ??= JSON.parse(byId("audio").textContent);
    const source = audioSources[state.test]?.[index];
    if (!source) return null;
    const length = data.sets[state.test].seconds[index];
    const key = data.sets[state.test].keys[index];
    const start = (event) => {
      const audio = make("audio", { controls: true, src: source, "aria-label": `recording ${key}` });
      event.currentTarget.replaceWith(audio);
      audio.focus();
      audio.play().catch((error) => audio.after(` cannot be played: ${error.message}`));
    };
    return make("button", { type: "button", class: "play", "aria-label": `Play ${key}`, click: start }, `▶ ${length ? seconds(length) : "play"}`);
  }

  /** A text before normalization, beside the alignment of what became of it; nothing where it is not known. */
  function written(who, text) {
    if (text === null) return null;
    return make("div", { class: "pair written" },
      make("div", { class: "who" }, who), make("div", { class: "text", dir: "auto" }, text || "(empty)"));
  }

  function utterance(row) {
    const set = data.sets[state.test];
    const { index } = row;
    const ours = scored(state.model);
    const tokens = tokensOf(index);
    const edits = ours.edits[index];
    const labels = Object.keys(set.labels).map((name) => label(name, index)).filter(Boolean);
    const compared = state.base && state.model !== base ? scored(base) : null;
    const pairs = [[state.model, edits], ...(compared ? [[base, compared.edits[index]]] : [])];
    const change = !compared || row.gain === 0 ? null : `${plural(Math.abs(row.gain), "error")} ${row.gain > 0 ? "fewer" : "more"} than ${base}`;
    return make("li", { class: "utterance" },
      make("div", { class: "head" },
        make("b", {}, tokens.length ? percent(row.rate) : plural(row.errors, "insertion")),
        make("span", {}, row.errors ? `${row.errors} of ${tokens.length}: ${kinds(edits)}` : `${tokens.length} right`),
        change && make("span", {}, change),
        make("code", {}, set.keys[index]),
        ...labels.map((name) => make("span", { class: "tag" }, name)),
        ...ours.flags[index].map((name) => make("span", { class: "tag flag" }, name.replaceAll("_", " "))),
        player(index)),
      written("transcript", set.written[index]),
      ...pairs.flatMap(([model, found]) => [
        make("div", { class: "pair" }, make("div", { class: "who" }, model), columns(tokens, found)),
        written("as written", set.hyps[model].written[index])]));
  }

  function drawMore() {
    const list = byId("list");
    list.append(...rows.slice(drawn, drawn + PAGE).map(utterance));
    drawn = Math.min(rows.length, drawn + PAGE);
    const left = rows.length - drawn;
    byId("more").hidden = left === 0;
    byId("more").textContent = `Show ${Math.min(PAGE, left)} more of ${left.toLocaleString("en")}`;
  }

  function drawList() {
    rows = selected();
    drawn = 0;
    byId("list").replaceChildren();
    const set = data.sets[state.test];
    const total = set?.keys.length ?? 0;
    const leftOut = set?.left_out ? ` (${plural(set.left_out, "utterance")} with less to tell not listed)` : "";
    const rules = data.ownRules.includes(state.mode) ? ", scored by own rules" : "";
    byId("count").textContent = `${rows.length.toLocaleString("en")} of ${plural(total, "utterance")}${leftOut}${rules}`;
    drawMore();
  }

  // ---- errors in detail ---------------------------------------------------------------------------------------

  const scoreOf = (model) => data.scores[state.test]?.[model]?.[state.mode];

  const byOwnRules = () =>
    data.ownRules.includes(state.mode) ? make("span", { class: "tag" }, "own rules") : null;

  function table(caption, header, body) {
    const head = header.map((name, place) => make("th", { scope: "col", class: place ? "n" : null }, name));
    const lines = body.map((cells) => make("tr", {}, ...cells.map((cell, place) =>
      make(place ? "td" : "th", place ? { class: "n" } : { scope: "row" }, cell ?? ""))));
    return make("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
      make("table", {}, make("caption", {}, byOwnRules(), caption), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...lines)));
  }

  /** A text that filters the list of utterances. */
  function filtering(text, filter) {
    return make("button", { type: "button", class: "link", click: () => {
      Object.assign(state, { flag: "", edit: "", language: "", speaker: "", group: "", search: "", show: "all" }, filter);
      refresh();
      byId("utterances").scrollIntoView();
      byId("utterances-title").focus({ preventScroll: true });
    } }, text);
  }

  function groupTable(caption, part, filterName) {
    const ours = scoreOf(state.model)[part];
    if (!ours) return null;
    const before = state.model === base ? null : scoreOf(base)?.[part];
    const intervals = Object.values(ours).some((found) => found.ci); // a single speaker cannot be resampled
    const header = [caption, "utterances", "tokens", "error rate", intervals ? "95 % interval" : null, before ? base : null];
    const body = Object.entries(ours).map(([name, found]) => [
      filterName ? filtering(name, { [filterName]: name }) : name,
      found.utterances.toLocaleString("en"),
      found.n.toLocaleString("en"),
      percent(found.rate),
      found.ci ? found.ci.map((end) => (100 * end).toFixed(2)).join(" – ") : "",
      before ? percent(before[name]?.rate) : null,
    ]);
    const shown = header.map((name) => name !== null);
    const cut = (cells) => cells.filter((_, place) => shown[place]);
    const all = scoreOf(state.model).groups?.[part];
    const cutOff = all ? ` (those with the most tokens, ${body.length} of ${all.toLocaleString("en")})` : "";
    return table(`Error rate by ${caption}${cutOff}`, cut(header), body.map(cut));
  }

  const groupTables = () => [
    groupTable("language", "by_language", "language"),
    groupTable("group", "by_group", "group"),
    groupTable("duration", "by_duration"),
    groupTable("script of the token", "by_cluster"),
    groupTable("speaker", "by_speaker", "speaker"),
  ].filter(Boolean);

  function tokenTables(score) {
    const edit = (...parts) => ({ edit: parts.join("\t") });
    const flags = Object.entries(score.flags ?? {}).filter(([, found]) => found.count);
    const words = score.hotwords?.words;
    return [
      score.confusions ? table("Substitutions: reference → hypothesis", ["pair", "times"], score.confusions.map(([ref, hyp, count]) =>
        [filtering(`${ref} → ${hyp}`, edit("S", ref, hyp)), count])) : null,
      score.deletions ? table("Deletions", ["reference token", "times"], score.deletions.map(([token, count]) =>
        [filtering(token, edit("D", token)), count])) : null,
      score.insertions ? table("Insertions", ["hypothesis token", "times"], score.insertions.map(([token, count]) =>
        [filtering(token, edit("I", "", token)), count])) : null,
      words?.length ? table(`Hotwords: recall ${percent(score.hotwords.recall)}, precision ${percent(score.hotwords.precision)}`,
        ["hotword", "in references", "in hypotheses", "in both"], words) : null,
      flags.length ? table("Hypotheses to mind", ["flag", "utterances"], flags.map(([name, found]) =>
        [filtering(name.replaceAll("_", " "), { flag: name }), found.count])) : null,
    ].filter(Boolean);
  }

  function drawErrors() {
    const score = scoreOf(state.model);
    byId("error-tables").replaceChildren(...(score
      ? [make("div", { class: "tables wide" }, ...groupTables()), make("div", { class: "tables" }, ...tokenTables(score))]
      : [make("p", {}, `${state.model} was not scored on ${state.test}.`)]));
  }

  // ---- controls -----------------------------------------------------------------------------------------------

  function menu(name, caption, choices) {
    const options = choices.map(([value, text]) => make("option", { value, selected: state[name] === value }, text));
    const change = (event) => { state[name] = event.target.value; refresh(name); };
    return make("label", {}, caption, make("select", { name, change }, ...options));
  }

  const named = (values) => values.map((value) => [value, value]);

  function scope() {
    return [menu("model", "Model", named(data.models)), menu("test", "Test set", named(tests))];
  }

  function labelMenus() {
    return Object.entries(data.sets[state.test]?.labels ?? {}).map(([name, values]) => {
      const known = [...new Set(values.filter(Boolean))].sort();
      return known.length > 1 && known.length <= MAX_CHOICES ? menu(name, name, [["", "any"], ...named(known)]) : null;
    });
  }

  function editName() {
    const [kind, ref, hyp] = state.edit.split("\t");
    return { S: `substitution ${ref} → ${hyp}`, D: `deletion ${ref}`, I: `insertion ${hyp}` }[kind];
  }

  function drawFilters(changed) {
    const place = document.activeElement?.closest(".filters");
    document.querySelector("#errors .scope").replaceChildren(...scope());
    const comparable = state.model !== base;
    const usable = (choices) => Object.entries(choices).filter(([name]) => comparable || (name !== "better" && name !== "worse"))
      .map(([name, [text]]) => [name, text]);
    const flags = [...new Set((scored(state.model)?.flags ?? []).flat())].sort();
    const search = make("input", { type: "search", name: "search", value: state.search, input: (event) => {
      state.search = event.target.value;
      clearTimeout(search.waiting);
      search.waiting = setTimeout(() => refresh("search"), 150);
    } });
    const withBase = make("input", { type: "checkbox", name: "base", checked: Boolean(state.base), change: (event) => {
      state.base = event.target.checked ? "yes" : "";
      refresh("base");
    } });
    byId("filters").replaceChildren(...[
      ...scope(),
      menu("show", "Show", usable(shows)),
      menu("sort", "Sort by", usable(sorts)),
      flags.length ? menu("flag", "Flag", [["", "any"], ...flags.map((name) => [name, name.replaceAll("_", " ")])]) : null,
      ...labelMenus(),
      make("label", { class: "wide" }, "Search in keys and texts", search),
      comparable ? make("label", { class: "check wide" }, withBase, `with ${base}`) : null,
      state.edit ? make("button", { type: "button", click: () => { state.edit = ""; refresh(); } }, `${editName()} ✕`) : null,
    ].filter(Boolean));
    place?.querySelector(`[name="${changed}"]`)?.focus({ preventScroll: true });
  }

  function drawMode() {
    for (const block of document.querySelectorAll(".mode")) block.hidden = block.dataset.mode !== state.mode;
    for (const input of document.querySelectorAll("#modes input")) input.checked = input.value === state.mode;
  }

  /** Draw what depends on the state, after the control `changed` changed it. */
  function refresh(changed) {
    const onlyList = ["sort", "show", "flag", "language", "speaker", "group", "base"].includes(changed);
    if (changed === "test") Object.assign(state, { language: "", speaker: "", group: "", edit: "", flag: "" });
    if (changed === "model") Object.assign(state, { edit: "", flag: "" });
    if (state.model === base && ["better", "worse"].includes(state.show)) state.show = "all";
    if (state.model === base && ["better", "worse"].includes(state.sort)) state.sort = "errors";
    if (!onlyList && changed !== "search") {
      drawMode();
      drawErrors();
      drawFilters(changed);
    }
    drawList();
    remember();
  }

  // ---- the state in the address, so that a view can be passed on ----------------------------------------------

  const initial = { ...state };
  const MARK = "#view?";

  function remember() {
    const changed = Object.entries(state).filter(([name, value]) => value !== initial[name]);
    const hash = changed.length ? MARK + new URLSearchParams(changed) : location.hash.startsWith(MARK) ? "#" : null;
    if (hash !== null) history.replaceState(null, "", hash);
  }

  function recall() {
    if (!location.hash.startsWith(MARK)) return;
    for (const [name, value] of new URLSearchParams(location.hash.slice(MARK.length))) {
      const known = { test: tests, model: data.models, mode: data.modes, show: Object.keys(shows), sort: Object.keys(sorts) };
      if (name in state && (!known[name] || known[name].includes(value))) state[name] = value;
    }
  }

  function start() {
    recall();
    for (const input of document.querySelectorAll("#modes input")) {
      input.addEventListener("change", () => { state.mode = input.value; state.edit = ""; refresh(); });
    }
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("more").addEventListener("click", drawMore);
    byId("utterances-title").tabIndex = -1;
    addEventListener("hashchange", () => {
      if (!location.hash.startsWith(MARK)) return;
      Object.assign(state, initial);
      recall();
      refresh();
      byId("utterances-title").focus();
    });
    refresh();
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting) && drawn < rows.length) drawMore();
    }, { rootMargin: "400px" }).observe(byId("more"));
    document.documentElement.dataset.ready = "";
  }

  start();
})();
