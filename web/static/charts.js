// Draws each figure over time with uPlot from the table below it. Without this script the page shows a static SVG.
"use strict";

const DAY_S = 86400;

function curvesOf(figure) {
  const table = figure.querySelector("table[data-curves]");
  const rows = [...table.tBodies[0].rows];
  const numbers = table.dataset.curves.split(" ").map(Number);
  const value = (row, column) => {
    const text = row.cells[column].textContent.replaceAll(",", "");
    return /^\d/.test(text) && !row.classList.contains("open") ? Number(text) : null;
  };
  return {
    titles: numbers.map((column) => table.tHead.rows[0].cells[column].textContent),
    data: [rows.map((row) => Number(row.dataset.from)), ...numbers.map((column) => rows.map((row) => value(row, column)))],
    spikes: rows.flatMap((row, at) => (row.classList.contains("spike") ? [at] : [])),
  };
}

function shadedOf(chart) {
  return chart.dataset.shaded.split(" ").filter(Boolean).map((period) => period.split("-").map(Number));
}

function shade(plot, periods, color) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = color;
  ctx.globalAlpha = 0.3;
  for (const [first, end] of periods) {
    const left = Math.max(bbox.left, plot.valToPos(first, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(end, "x", true));
    if (right > bbox.left && left < bbox.left + bbox.width) {
      ctx.fillRect(left, bbox.top, Math.max(2 * devicePixelRatio, right - left), bbox.height);
    }
  }
  ctx.restore();
}

function mark(plot, spikes, color) {
  const { ctx } = plot;
  const size = 5 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = color;
  for (const at of spikes) {
    const x = plot.valToPos(plot.data[0][at], "x", true);
    const y = plot.valToPos(plot.data[1][at], "y", true) - size;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - size, y - 1.6 * size);
    ctx.lineTo(x + size, y - 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}

function draw(chart) {
  const figure = chart.closest("figure");
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const { titles, data, spikes } = curvesOf(figure);
  const zone = chart.dataset.zone;
  const shaded = shadedOf(chart);
  const long = data[0].length > 1 && data[0][1] - data[0][0] >= DAY_S - 3600;
  const when = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, weekday: "short", day: "numeric", month: "short", year: "numeric", ...(long ? {} : { hour: "2-digit", minute: "2-digit" }),
  });
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  const date = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });
  const year = new Intl.DateTimeFormat("en-GB", { timeZone: zone, month: "short", year: "numeric" });
  const labels = (_plot, seconds, _axis, _space, step) => seconds.map((second) => {
    const time = clock.format(second * 1000);
    return step >= 28 * DAY_S ? year.format(second * 1000) : step >= DAY_S || time === "00:00" ? date.format(second * 1000) : time;
  });
  const axis = { stroke: color("quiet"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 }, font: "12px system-ui" };
  const strokes = [
    { stroke: color("accent"), width: 1.75, fill: `color-mix(in srgb, ${color("accent")} 9%, transparent)` },
    { stroke: color("before"), width: 1.5, dash: [5, 4] },
  ];
  const options = {
    width: chart.clientWidth,
    height: Math.max(200, Math.min(320, Math.round(chart.clientWidth / 3.2))),
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), zone),
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high) * 1.12] } },
    axes: [{ ...axis, values: labels }, { ...axis, size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] }],
    series: [
      { label: "From", value: (_plot, second) => (second === null ? "–" : when.format(second * 1000)) },
      ...titles.map((title, at) => ({ label: title, points: { show: data[0].length < 3 }, ...strokes[at] })),
    ],
    hooks: {
      drawClear: [(plot) => shade(plot, shaded, color("gap"))],
      draw: [(plot) => mark(plot, spikes, color("bad"))],
    },
  };
  chart.querySelector(".uplot")?.remove();
  chart.classList.add("drawn");
  const plot = new uPlot(options, data, chart);
  plot.root.setAttribute("aria-hidden", "true");
  plot.root.querySelector(".u-legend").hidden = true;
  plot.over.addEventListener("mouseenter", () => {
    plot.root.querySelector(".u-legend").hidden = false;
  });
  return plot;
}

function follow(chart) {
  let plot = draw(chart);
  new ResizeObserver(() => {
    if (chart.clientWidth && Math.abs(chart.clientWidth - plot.width) > 1) {
      plot.setSize({ width: chart.clientWidth, height: plot.height });
    }
  }).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot = draw(chart);
  });
}

document.querySelectorAll(".chart").forEach(follow);
