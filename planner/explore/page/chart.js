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
  const share = (axis, value) => axis.log
    ? Math.log(value / axis.low) / Math.log(axis.high / axis.low)
    : (value - axis.low) / (axis.high - axis.low);
  const toX = (x) => EDGE.left + share(chart.x, x) * (right - EDGE.left);
  const toY = (y) => bottom - share(chart.y, y) * (bottom - EDGE.top);
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
  for (const rule of chart.rules) {
    const inside = rule.at >= chart.x.low && rule.at <= chart.x.high;
    const at = toX(Math.min(Math.max(rule.at, chart.x.low), chart.x.high)), left = at > middle;
    if (inside) parts.push(svgNode("path", { class: "limit", d: `M${at} ${EDGE.top}V${bottom}` }));
    const beside = { class: "limit", x: at + (left ? -5 : 5), y: 32, "text-anchor": left ? "end" : "start" };
    parts.push(svgNode("text", beside, inside ? rule.text : left ? `${rule.text} →` : `← ${rule.text}`));
  }
  for (const { x, bar } of chart.marks) {
    if (bar.length) parts.push(svgNode("path", { class: "bar", d: `M${toX(x)} ${toY(bar[0])}V${toY(bar[1])}` }));
  }
  for (const points of chart.curves) {
    const corners = points.map(([x, y]) => `${toX(x)} ${toY(y)}`).join("L");
    parts.push(svgNode("path", { class: "frontier", d: `M${corners}` }));
  }
  const scale = width < 500 ? 0.75 : 1;
  const places = chart.marks.map((mark) => [toX(mark.x), toY(mark.y), mark]);
  for (const [cx, cy, mark] of places) {
    parts.push(svgNode("circle", { class: mark.kind, cx, cy, r: RADIUS[mark.kind] * scale }));
  }
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
