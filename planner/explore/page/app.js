"use strict";
// Controls -> query string -> the planner's answer -> page. No number is computed here but the value of a slider.

const byId = (id) => document.getElementById(id);
const form = byId("controls");
const STEPS = 1000;
let answer = null, busy = false, waiting = null;

// ---- sliders: position <-> text in the slider's unit, on a logarithmic scale; an end may mean "no limit" ----

function sliderText(slider) {
  const { low, high, unit, none, zero, linear, whole } = slider.dataset;
  const position = Number(slider.value) / STEPS;
  if (none !== undefined && position === (none === "low" ? 0 : 1)) return "";
  if (zero !== undefined) return String(Number(Math.expm1(position * Math.log1p(Number(high))).toPrecision(2)) | 0);
  if (linear !== undefined) {
    const at = Number(low) + position * (Number(high) - Number(low));
    return String(Math.min(Math.round(at / Number(linear)) * Number(linear), Number(high)));
  }
  const value = Number(low) * (Number(high) / Number(low)) ** position;
  if (whole !== undefined) return String(Math.round(Number(value.toPrecision(2))));
  return `${Number(value.toPrecision(3))} ${unit}`.trim();
}

function placeSlider(slider, number) {
  const { low, high, unitSize, none, zero, linear } = slider.dataset;
  let position;
  if (number === null || number === undefined) position = none === "high" ? 1 : 0;
  else if (zero !== undefined) position = Math.log1p(number) / Math.log1p(Number(high));
  else if (linear !== undefined) position = (number - Number(low)) / (Number(high) - Number(low));
  else position = Math.log(number / Number(unitSize) / Number(low)) / Math.log(Number(high) / Number(low));
  if (number !== null && none === "high") position = Math.min(position, (STEPS - 1) / STEPS);
  if (number !== null && none === "low") position = Math.max(position, 1 / STEPS);
  slider.value = String(Math.round(Math.min(Math.max(position, 0), 1) * STEPS));
}

// ---- controls <-> texts ----

function query() {
  const parts = new URLSearchParams();
  for (const control of form.elements) {
    if (!control.name || control.type === "checkbox") continue;
    parts.set(control.name, control.value.trim() || "none");
  }
  for (const group of form.querySelectorAll(".chips")) {
    const chosen = [...group.querySelectorAll("input:checked")].map((box) => box.value);
    parts.set(group.dataset.name, chosen.join(","));
  }
  return parts.toString();
}

function fill(texts, numbers, keep) {
  for (const [name, text] of Object.entries(texts)) {
    const control = form.elements.namedItem(name);
    if (control && control !== keep && control.tagName) {
      const spaced = text.replace(/^([\d.]+(?:e[+-]?\d+)?)([A-Za-z])/, "$1 $2");
      control.value = control.tagName === "INPUT" ? (text === "none" ? "" : spaced) : text;
    }
    const slider = form.querySelector(`input[type=range][data-for="${name}"]`);
    if (slider && slider !== keep) placeSlider(slider, numbers[slider.dataset.field] ?? null);
  }
  for (const group of form.querySelectorAll(".chips")) {
    const chosen = texts[group.dataset.name].split(",");
    for (const box of group.querySelectorAll("input")) box.checked = chosen.includes(box.value);
  }
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, value] = part.dataset.when.split("=");
    part.hidden = value.startsWith("!") ? texts[name] === value.slice(1) : texts[name] !== value;
  }
}

// ---- the answer ----

function item(text, tag = "li") {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

function list(id, texts) {
  byId(id).replaceChildren(...texts.map((text) => item(text)));
  byId(id).hidden = !texts.length;
}

function bar(share) {
  const cell = blank("td");
  const svg = svgNode("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(svgNode("rect", { class: "back", width: 100, height: 10 }));
  svg.append(svgNode("rect", { width: Math.max(100 * share, 0.5), height: 10 }));
  cell.append(svg);
  return cell;
}

function blank(tag) {
  const cell = item("", tag);
  cell.className = "bar";
  return cell;
}

function table(content) {
  const box = document.createElement("div"), node = document.createElement("table");
  box.className = "table";
  box.tabIndex = 0;
  const caption = node.createCaption();
  caption.textContent = content.title;
  if (content.note) caption.append(" ", item(content.note, "small"));
  const bars = content.shares.length > 0;
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell, i) => {
      const node = item(cell, tag);
      if (content.words.includes(i)) node.className = "word";
      return node;
    }));
    return row;
  };
  const head = node.createTHead();
  head.append(line(content.head, "th"));
  if (bars) head.rows[0].append(blank("th"));
  const body = node.createTBody();
  content.rows.forEach((cells, i) => {
    const row = line(cells, "td");
    if (bars) row.append(bar(content.shares[i]));
    body.append(row);
  });
  if (content.foot.length) {
    const foot = node.createTFoot();
    foot.append(line(content.foot, "td"));
    if (bars) foot.rows[0].append(blank("td"));
  }
  box.append(node);
  return box;
}

function show(found, keep) {
  answer = found;
  const { view } = found;
  fill({ ...found.texts, load: found.load }, found.numbers, keep);
  list("complaints", found.complaints);
  byId("message").textContent = view.message;
  byId("message").hidden = !view.message;
  byId("pick-box").hidden = Boolean(view.message);
  byId("plan").classList.toggle("stale", Boolean(view.message));
  byId("pick").textContent = view.pick;
  byId("sentence").textContent = view.sentence;
  list("facts", view.facts);
  list("cautions", [...view.extrapolates.map((text) => `extrapolates: ${text}`),
    ...view.assumptions.map((text) => `assumes: ${text}`)]);
  byId("warnings").hidden = byId("cautions").hidden;
  byId("tables").replaceChildren(...view.tables.map(table));
  list("remarks", view.remarks);
  byId("chart").setAttribute("aria-label", `what is predicted of every candidate. ${view.sentence}`);
  drawChart(byId("chart"), byId("tip"), view.chart);
  const search = `?${found.link}`;
  history.replaceState(null, "", search);
  byId("link").href = search;
  byId("link").textContent = location.href;
  byId("command").textContent = found.command;
  for (const link of document.querySelectorAll("a[download]")) {
    link.search = search;
    link.setAttribute("aria-disabled", String(Boolean(view.message)));
  }
  followLoad(found);
  byId("timing").textContent = `computed in ${Math.ceil(1000 * found.computed_in_s)} ms`;
  document.body.dataset.ready = found.link;
}

// ---- under the load: numbers once the sliders rest, pictures once somebody looks ----

const REST_MS = 350;
let load = { link: null, seen: false, timer: 0, asked: null };

function followLoad(found) {
  const box = byId("load");
  const same = load.link === found.link && found.carries_load;
  box.hidden = !found.carries_load;
  if (same) return;
  clearTimeout(load.timer);
  if (load.asked) load.asked.abort();  // the host passes over what nobody waits for
  load.link = found.carries_load ? found.link : null;
  delete box.dataset.simulated;
  delete box.dataset.drawn;
  box.setAttribute("aria-busy", "true");
  byId("load-status").textContent = "The lines above are solved numerically; the simulation follows once the settings rest.";
  if (found.carries_load) load.timer = setTimeout(simulate, REST_MS);
}

async function askLoad(what, use) {
  const asked = new AbortController(), { link } = load;
  load.asked = asked;
  try {
    const reply = await fetch(`${what}?${link}`, { signal: asked.signal });
    if (!reply.ok) throw new Error((await reply.text()).trim());
    const found = await reply.json();
    if (asked.signal.aborted) return;
    byId("load-status").textContent = found.message;
    if (!found.message) use(found);
  } catch (error) {
    if (!asked.signal.aborted) byId("load-status").textContent = error.message;
  }
}

function simulate() {
  const box = byId("load");
  byId("load-status").textContent = "Simulating request by request …";
  askLoad("load", (found) => {
    list("load-facts", found.facts);
    byId("load-tables").replaceChildren(...found.tables.map(table));
    byId("load-status").textContent = `Simulated in ${found.computed_in_s.toFixed(1)} s.`;
    box.dataset.simulated = load.link;
    box.setAttribute("aria-busy", "false");
    drawLoad();
  });
}

function drawLoad() {
  const box = byId("load");
  if (!load.seen || !box.dataset.simulated || box.dataset.drawn) return;
  box.dataset.drawn = "asked";
  askLoad("load-pictures", (found) => {
    byId("pictures").replaceChildren(...found.pictures.map(picture));
    byId("pictures").setAttribute("aria-busy", "false");
    byId("curve").replaceChildren(...found.tables.map(table));
    box.dataset.drawn = load.link;
  });
}

function picture({ caption, told, svg, legend }) {
  const box = document.createElement("figure");
  box.className = "picture";
  box.innerHTML = svg;  // drawn by the planner, every text in it escaped
  box.prepend(item(caption, "figcaption"));
  const signs = document.createElement("ul");
  for (const [sign, meaning] of legend) {
    const line = document.createElement("li");
    line.innerHTML = sign;
    line.append(meaning);
    signs.append(line);
  }
  box.append(signs, item(told, "p"));
  return box;
}

async function ask(search, keep) {
  if (busy) {
    waiting = [search, keep];  // the latest setting is answered, those between are passed over
    return;
  }
  busy = true;
  try {
    const reply = await fetch(`plan?${search}`);
    if (!reply.ok) throw new Error((await reply.text()).trim());
    const found = await reply.json();
    if (!waiting) show(found, keep);
  } catch (error) {
    const stopped = error instanceof TypeError;
    byId("message").textContent = stopped ? "The explorer has stopped: start it again with vlm-planner explore." : error.message;
    byId("message").hidden = false;
  }
  busy = false;
  if (waiting) {
    const next = waiting;
    waiting = null;
    ask(...next);
  }
}

// ---- events ----

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  const control = event.target;
  if (control.type === "range") form.elements.namedItem(control.dataset.for).value = sliderText(control);
  else if (control.type === "text") return;  // half a number is no number: wait for the whole
  ask(query(), control);
});
form.addEventListener("change", (event) => {
  if (event.target.type === "text") ask(query(), null);
});
byId("copy-link").addEventListener("click", async (event) => {
  const button = event.target;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(byId("link"));
    button.textContent = "selected below: copy it";
  }
  setTimeout(() => { button.textContent = "copy link"; }, 1500);
});
byId("reset").addEventListener("click", () => ask("", null));
new IntersectionObserver(([entry]) => {
  load.seen = entry.isIntersecting;
  drawLoad();
}).observe(byId("pictures"));
new ResizeObserver(() => answer && drawChart(byId("chart"), byId("tip"), answer.view.chart)).observe(byId("chart"));
ask(location.search.slice(1), null);
