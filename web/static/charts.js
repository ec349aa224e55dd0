// Draws each figure over time with uPlot from the table below it. Without this script the page shows a static SVG.
"use strict";

const DAY_S = 86400;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];

const rootStyle = () => getComputedStyle(document.documentElement);
const color = (name) => rootStyle().getPropertyValue(`--${name}`).trim();

function curvesOf(figure) {
  const table = figure.querySelector("table[data-curves]");
  const rows = [...table.tBodies[0].rows];
  const numbers = table.dataset.curves.split(" ").map(Number);
  const value = (row, column) => {
    const text = row.cells[column].textContent.replaceAll(",", "");
    return /^\d/.test(text) && !row.classList.contains("open") ? Number(text) : null;
  };
  return {
    titles: [...figure.querySelectorAll(".legend .curve")].map((line) => line.textContent.trim()),
    data: [rows.map((row) => Number(row.dataset.from)), ...numbers.map((column) => rows.map((row) => value(row, column)))],
    notes: rows.map((row) => row.cells[row.cells.length - 1].textContent),
    heads: rows.map((row) => row.cells[0].textContent),
    links: rows.map((row) => row.cells[0].querySelector("a")?.href),
    spikes: rows.flatMap((row, at) => (row.classList.contains("spike") ? [at] : [])),
  };
}

function shadedOf(chart) {
  return chart.dataset.shaded.split(" ").filter(Boolean).map((period) => period.split("-").map(Number));
}

function hatching(ctx) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8 * devicePixelRatio;
  const pen = tile.getContext("2d");
  pen.strokeStyle = color("gap");
  pen.lineWidth = devicePixelRatio;
  for (const shift of [-1, 0, 1]) {
    pen.moveTo((shift - 0.1) * tile.width, 1.1 * tile.height);
    pen.lineTo((shift + 1.1) * tile.width, -0.1 * tile.height);
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}

function shade(plot, periods) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = hatching(ctx);
  for (const [first, end] of periods) {
    const left = Math.max(bbox.left, plot.valToPos(first, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(end, "x", true));
    if (right > bbox.left && left < bbox.left + bbox.width) {
      ctx.fillRect(left, bbox.top, Math.max(2 * devicePixelRatio, right - left), bbox.height);
    }
  }
  ctx.restore();
}

function mark(plot, spikes) {
  const { ctx } = plot;
  ctx.save();
  ctx.setLineDash([]);
  ctx.strokeStyle = color("bad");
  ctx.fillStyle = color("card");
  ctx.lineWidth = 2 * devicePixelRatio;
  for (const at of spikes) {
    ctx.beginPath();
    ctx.arc(plot.valToPos(plot.data[0][at], "x", true), plot.valToPos(plot.data[1][at], "y", true), 4.5 * devicePixelRatio, 0, 7);
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

function strokesOf(figure) {
  return [...figure.querySelectorAll(".legend .curve")].map((line) => {
    const { stroke, strokeDasharray } = getComputedStyle(line);
    const isFirst = line.classList.contains("first");
    if (line.classList.contains("all")) {
      return { stroke, width: 1.25, fill: color("raised") };
    }
    return { stroke, width: 1.75, dash: (strokeDasharray.match(/[\d.]+/g) ?? []).map(Number), fill: isFirst ? `color-mix(in srgb, ${stroke} 10%, transparent)` : undefined };
  });
}

function formats(zone, isLong) {
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  const time = { hour: "2-digit", minute: "2-digit" };
  return {
    when: format({ weekday: "short", day: "numeric", month: "short", year: "numeric", ...(isLong ? {} : time) }),
    clock: format(time),
    date: format({ weekday: "short", day: "numeric", month: "short" }),
    year: format({ month: "short", year: "numeric" }),
  };
}

function axisLabels({ clock, date, year }) {
  return (_plot, seconds, _axis, _space, step) => seconds.map((second) => {
    const time = clock.format(second * 1000);
    return step >= 28 * DAY_S ? year.format(second * 1000) : step >= DAY_S || time === "00:00" ? date.format(second * 1000) : time;
  });
}

function follower(chart, curves, when) {
  const tip = chart.querySelector(".tip") || chart.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  return (plot) => {
    const { idx, left, top } = plot.cursor;
    tip.hidden = idx === null || idx === undefined || left < 0;
    if (tip.hidden) {
      return;
    }
    const values = curves.data.slice(1).map((counts, at) => `${curves.titles[at]}: ${counts[idx] === null ? "–" : counts[idx].toLocaleString("en-US")}`);
    const head = document.createElement("strong");
    head.textContent = when.format(curves.data[0][idx] * 1000);
    tip.replaceChildren(head, [...values, curves.notes[idx]].filter(Boolean).join("\n"));
    const x = plot.over.offsetLeft + left;
    const beside = x + 16 + tip.offsetWidth > chart.clientWidth ? x - 16 - tip.offsetWidth : x + 16;
    tip.style.left = `${Math.max(0, beside)}px`;
    tip.style.top = `${Math.max(0, Math.min(plot.over.offsetTop + top, chart.clientHeight - tip.offsetHeight))}px`;
  };
}

function draw(chart) {
  const figure = chart.closest("figure");
  const curves = curvesOf(figure);
  const { data, titles, spikes } = curves;
  const zone = chart.dataset.zone;
  const isLong = data[0].length > 1 && data[0][1] - data[0][0] >= DAY_S - 3600;
  const dates = formats(zone, isLong);
  const axis = { stroke: color("quiet"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 }, font: "12px system-ui" };
  const strokes = strokesOf(figure);
  const options = {
    width: chart.clientWidth,
    height: Math.max(220, Math.min(400, Math.round(chart.clientWidth / 2))),
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), zone),
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    legend: { show: false },
    padding: [null, 40, null, null],
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high) * 1.12] } },
    axes: [{ ...axis, space: 84, values: axisLabels(dates) }, { ...axis, size: 48, incrs: STEPS }],
    series: [{}, ...titles.map((title, at) => ({ label: title, points: { show: data[0].length < 3 }, ...strokes[at] }))],
    hooks: {
      drawClear: [(plot) => shade(plot, shadedOf(chart))],
      draw: [(plot) => mark(plot, spikes)],
      setCursor: [follower(chart, curves, dates.when)],
    },
  };
  chart.querySelector(".uplot")?.remove();
  chart.classList.add("drawn");
  const plot = new uPlot(options, data, chart);
  plot.root.setAttribute("aria-hidden", "true");
  return plot;
}

// Opens the page of a point: a click, or Enter after the arrow keys have chosen one, which a screen reader is told.
function openable(chart, current) {
  const { data, titles, heads, links } = curvesOf(chart.closest("figure"));
  if (!links.some(Boolean)) {
    return;
  }
  const said = chart.appendChild(document.createElement("p"));
  said.className = "hidden";
  said.setAttribute("role", "status");
  const last = data[0].length - 1;
  let chosen = null;
  let pressed = 0;
  const choose = (at) => {
    chosen = Math.max(0, Math.min(last, at));
    const plot = current();
    plot.setCursor({ left: plot.valToPos(data[0][chosen], "x"), top: 0 });
    const values = titles.map((title, at) => `${title} ${data[at + 1][chosen] ?? "unknown"}`);
    said.textContent = `${heads[chosen]}: ${values.join(", ")}. Enter opens it.`;
  };
  const open = (at) => {
    if (at !== null && at !== undefined && links[at]) {
      location.assign(links[at]);
    }
  };
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24, Home: -Infinity, End: Infinity };
  chart.tabIndex = 0;
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", "Chart. The arrow keys choose a time, Enter opens it.");
  chart.classList.add("openable");
  chart.addEventListener("keydown", (event) => {
    if (event.key in steps) {
      event.preventDefault();
      choose((chosen ?? last + 1) + steps[event.key]);
    } else if (event.key === "Enter" && event.target === chart) {
      open(chosen);
    }
  });
  chart.addEventListener("mousedown", (event) => { pressed = event.clientX; });
  chart.addEventListener("click", (event) => {
    if (event.target.closest(".u-over") && Math.abs(event.clientX - pressed) < 4) {
      open(current().cursor.idx);
    }
  });
}

function linesOf(pen, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (pen.measureText(longer).width <= width) {
      lines[lines.length - 1] = longer;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

// Draws the chart with its title, finding and legend on one picture, and saves it.
function save(plot, figure) {
  const scale = devicePixelRatio;
  const chart = plot.ctx.canvas;
  const picture = document.createElement("canvas");
  picture.width = chart.width + 32 * scale;
  const pen = picture.getContext("2d");
  const said = figure.querySelector("figcaption").firstChild.textContent.trim();
  pen.font = `600 ${17 * scale}px system-ui`;
  const finding = linesOf(pen, said, chart.width);
  const below = 24 * (finding.length - 1);
  picture.height = chart.height + (108 + below) * scale;
  const write = (text, x, y, font, ink) => {
    pen.font = font.replace(/\d+$/, (size) => `${size * scale}px system-ui`);
    pen.fillStyle = ink;
    pen.fillText(text, x * scale, y * scale, picture.width - (x + 16) * scale);
    return pen.measureText(text).width / scale;
  };
  pen.fillStyle = color("card");
  pen.fillRect(0, 0, picture.width, picture.height);
  write(figure.querySelector("h2").textContent, 16, 26, "600 13", color("quiet"));
  finding.forEach((line, at) => write(line, 16, 50 + 24 * at, "600 17", color("ink")));
  let left = 16;
  [...figure.querySelectorAll(".legend .curve")].forEach((line) => {
    pen.fillStyle = getComputedStyle(line).stroke;
    pen.fillRect(left * scale, (68 + below) * scale, 14 * scale, 4 * scale);
    left += 34 + write(line.textContent.trim(), left + 20, 74 + below, "13", color("quiet"));
  });
  pen.drawImage(chart, 16 * scale, (88 + below) * scale);
  picture.toBlob((file) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${figure.id}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function offerPicture(figure, current) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "PNG";
  button.setAttribute("aria-label", `PNG of ${figure.querySelector("h2").textContent}`);
  button.addEventListener("click", () => save(current(), figure));
  figure.querySelector(".files").append(button);
}

function follow(chart) {
  let plot = draw(chart);
  offerPicture(chart.closest("figure"), () => plot);
  openable(chart, () => plot);
  new ResizeObserver(() => {
    if (chart.clientWidth && Math.abs(chart.clientWidth - plot.width) > 1) {
      plot.setSize({ width: chart.clientWidth, height: plot.height });
    }
  }).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot = draw(chart);
  });
}

const followAll = () => document.querySelectorAll(".chart:not(.drawn)").forEach(follow);

addEventListener("collected", followAll);
followAll();
