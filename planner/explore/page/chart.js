"use strict";
// Numbers -> pixels. Ticks, texts and what each point is were decided by the planner.

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 52, right: 14, top: 20, bottom: 40 };
const RADIUS = { over: 3, fits: 3.5, tied: 4.5, pick: 7 };

function svgNode(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function drawChart(svg, tip, chart) {
  const width = svg.clientWidth, height = svg.clientHeight;
  if (!chart || !width) return;
  const right = width - EDGE.right, bottom = height - EDGE.bottom;
  const logLow = Math.log(chart.x.low), logHigh = Math.log(chart.x.high);
  const toX = (x) => EDGE.left + ((Math.log(x) - logLow) / (logHigh - logLow)) * (right - EDGE.left);
  const toY = (y) => bottom - ((y - chart.y.low) / (chart.y.high - chart.y.low)) * (bottom - EDGE.top);
  const parts = [svgNode("path", { class: "axis", d: `M${EDGE.left} ${EDGE.top}V${bottom}H${right}` })];
  let end = -Infinity;
  for (const tick of chart.x.ticks) {
    const x = toX(tick.at), half = 3.6 * tick.text.length;
    parts.push(svgNode("path", { class: "axis", d: `M${x} ${bottom}v4` }));
    if (x - half < end || x + half > width) continue;  // no room for its text
    end = x + half + 6;
    parts.push(svgNode("text", { x, y: bottom + 17, "text-anchor": "middle" }, tick.text));
  }
  for (const tick of chart.y.ticks) {
    const y = toY(tick.at);
    parts.push(svgNode("path", { class: "axis", d: `M${EDGE.left} ${y}H${right}`, opacity: 0.5 }));
    parts.push(svgNode("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, tick.text));
  }
  const middle = (EDGE.left + right) / 2;
  parts.push(svgNode("text", { x: middle, y: height - 6, "text-anchor": "middle" }, chart.x.title));
  parts.push(svgNode("text", { x: 4, y: 12 }, chart.y.title));
  const at = toX(chart.limit.at), left = at > middle;
  parts.push(svgNode("path", { class: "limit", d: `M${at} ${EDGE.top}V${bottom}` }));
  const beside = { class: "limit", x: at + (left ? -5 : 5), y: 32, "text-anchor": left ? "end" : "start" };
  parts.push(svgNode("text", beside, chart.limit.text));
  for (const [x, low, high] of chart.bars) {
    parts.push(svgNode("path", { class: "bar", d: `M${toX(x)} ${toY(low)}V${toY(high)}` }));
  }
  if (chart.frontier.length) {
    const [first, ...others] = chart.frontier;
    const steps = others.map(([x, y]) => `H${toX(x)}V${toY(y)}`).join("");
    parts.push(svgNode("path", { class: "frontier", d: `M${toX(first[0])} ${toY(first[1])}${steps}` }));
  }
  const scale = width < 500 ? 0.75 : 1;
  const places = chart.points.map((point) => [toX(point.x), toY(point.error), point]);
  for (const [cx, cy, point] of places) parts.push(svgNode("circle", { class: point.kind, cx, cy, r: RADIUS[point.kind] * scale }));
  const near = svgNode("circle", { class: "near", r: 8, visibility: "hidden" });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...parts, near);
  svg.onpointermove = svg.onpointerdown = (event) => {
    const box = svg.getBoundingClientRect();
    const px = event.clientX - box.left, py = event.clientY - box.top;
    let best = null, least = 30 * 30;
    for (const place of places) {
      const distance = (place[0] - px) ** 2 + (place[1] - py) ** 2;
      if (distance <= least) [best, least] = [place, distance];
    }
    near.setAttribute("visibility", best ? "visible" : "hidden");
    if (!best) return;
    near.setAttribute("cx", best[0]);
    near.setAttribute("cy", best[1]);
    tip.textContent = best[2].text;
  };
}
