// Draws the trends of a page with uPlot, from the numbers of the table that stands under each. Without this script the
// server's drawing stands in its place.
"use strict";
(() => {
  const HEIGHT = 220;
  const charts = new Map();
  const stood = new Map();

  const number = (text) => (text === undefined ? null : Number(text));
  const utc = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";

  // [oldest .. newest] of what the rows say.
  function read(figure) {
    const rows = [...figure.querySelectorAll("tr[data-at]")].reverse();
    const column = (name) => rows.map((row) => number(row.dataset[name]));
    return {
      at: column("at"), value: column("value"), low: column("low"), high: column("high"),
      wanted: column("wanted"), baseline: column("baseline"),
      epoch: rows.map((row) => row.dataset.epoch),
      link: rows.map((row) => row.querySelector("a")),
      incidents: [...figure.querySelectorAll("li[data-from]")].map((item) => [number(item.dataset.from), number(item.dataset.to)]),
    };
  }

  // Nothing compares across epochs: a gap keeps the line from saying so.
  function withGaps(data) {
    const names = ["at", "value", "low", "high", "wanted", "baseline"];
    const out = Object.fromEntries(names.map((name) => [name, []]));
    const places = [];
    data.at.forEach((at, index) => {
      if (index > 0 && data.epoch[index] !== data.epoch[index - 1]) {
        names.forEach((name) => out[name].push(null));
        out.at[out.at.length - 1] = (data.at[index - 1] + at) / 2;
        out.wanted[out.wanted.length - 1] = data.wanted[index];
        places.push(null);
      }
      names.forEach((name) => out[name].push(data[name][index]));
      places.push(index);
    });
    return { columns: names.map((name) => out[name]), places };
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }

  function marks(data, colour) {
    return (chart) => {
      const { ctx, bbox } = chart;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = colour("bad");
      for (const [from, to] of data.incidents) {
        const end = bbox.left + bbox.width;
        // One that opened after the last check began is seen all the same.
        const left = Math.min(chart.valToPos(from, "x", true), end - 4 * ratio);
        const right = to === null ? end : chart.valToPos(to, "x", true);
        ctx.fillRect(left, bbox.top + bbox.height - 6 * ratio, Math.max(right - left, 4 * ratio), 6 * ratio);
      }
      ctx.setLineDash([]);
      ctx.strokeStyle = colour("quiet");
      ctx.lineWidth = 2 * ratio;
      data.at.forEach((at, index) => {
        if (data.value[index] !== null) return;
        const x = chart.valToPos(at, "x", true);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top + bbox.height - 18 * ratio);
        ctx.lineTo(x, bbox.top + bbox.height - 8 * ratio);
        ctx.stroke();
      });
      ctx.strokeStyle = colour("text");
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      data.at.forEach((at, index) => {
        if (index > 0 && data.epoch[index] !== data.epoch[index - 1]) {
          const x = chart.valToPos(at, "x", true);
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
      });
      ctx.restore();
      dots(chart, data, colour, ratio);
    };
  }

  // Squares below what is wanted, circles else: colour does not tell it alone.
  function dots(chart, data, colour, ratio) {
    const { ctx } = chart;
    const size = 3 * ratio;
    ctx.save();
    data.at.forEach((at, index) => {
      const value = data.value[index];
      if (value === null) return;
      const x = chart.valToPos(at, "x", true);
      const y = chart.valToPos(value, "y", true);
      const isBelow = data.wanted[index] !== null && value < data.wanted[index];
      ctx.fillStyle = colour(isBelow ? "bad" : "mean");
      ctx.beginPath();
      if (isBelow) ctx.rect(x - size, y - size, 2 * size, 2 * size);
      else ctx.arc(x, y, size, 0, 2 * Math.PI);
      ctx.fill();
    });
    ctx.restore();
  }

  function options(figure, data, width) {
    const colour = colours();
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    const line = (stroke, more) => ({ stroke, width: 2, points: { show: false }, spanGaps: false, ...more });
    return {
      width, height: HEIGHT, legend: { show: false }, padding: [8, 26, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 9 } },
      scales: { x: { time: true, range: (_, first, last) => [first - (last - first) / 80, last + (last - first) / 80] }, y: { range: [Number(figure.dataset.bottom), Number(figure.dataset.top)] } },
      axes: [
        { ...axis, space: 70, values: [
          // [step, as a rule, new year, new month, new day, ...]
          [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
          [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
        ] },
        { ...axis, size: 46, values: (_, ticks) => ticks.map((tick) => tick.toFixed(2)) },
      ],
      series: [
        {},
        line(colour("mean")),
        line("transparent", { width: 0 }),
        line("transparent", { width: 0 }),
        line(colour("text"), { dash: [6, 4], width: 1.5 }),
        line(colour("baseline"), { dash: [2, 3], width: 2 }),
      ],
      bands: [{ series: [3, 2], fill: colour("band") }],
      hooks: { draw: [marks(data, colour)] },
    };
  }

  function sentence(data, index) {
    const value = data.value[index];
    const parts = [utc(data.at[index]), value === null ? "not measured" : value.toFixed(2)];
    if (data.low[index] !== null) parts.push(`${data.low[index].toFixed(2)} to ${data.high[index].toFixed(2)}`);
    if (value !== null && data.wanted[index] !== null && value < data.wanted[index]) parts.push(`below ${data.wanted[index].toFixed(2)}`);
    if (data.baseline[index] !== null) parts.push(`baseline ${data.baseline[index].toFixed(2)}`);
    return parts.join(", ");
  }

  // A slider over the checks: arrows move, Enter opens the check.
  function walkable(place, figure, data, chart, places) {
    const last = data.at.length - 1;
    let index = last;
    const readout = document.createElement("p");
    readout.className = "readout";
    readout.textContent = "Point at the chart, or move along it with the arrow keys; Enter opens a check.";
    place.tabIndex = 0;
    place.setAttribute("role", "slider");
    place.setAttribute("aria-label", figure.querySelector("figcaption").textContent);
    place.setAttribute("aria-orientation", "horizontal");
    place.setAttribute("aria-valuemin", "1");
    place.setAttribute("aria-valuemax", String(last + 1));
    const show = (wanted) => {
      index = Math.min(last, Math.max(0, wanted));
      stood.set(place.id, data.link[index].href);
      place.setAttribute("aria-valuenow", String(index + 1));
      place.setAttribute("aria-valuetext", sentence(data, index));
      const link = document.createElement("a");
      link.href = data.link[index].href;
      link.textContent = utc(data.at[index]);
      readout.replaceChildren(link, sentence(data, index).slice(utc(0).length));
    };
    place.setAttribute("aria-valuenow", String(last + 1));
    place.setAttribute("aria-valuetext", sentence(data, last));
    place.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, Home: 0, End: last, PageDown: index - 6, PageUp: index + 6 };
      if (event.key === "Enter") location.assign(data.link[index].href);
      if (!(event.key in steps)) return;
      event.preventDefault();
      show(steps[event.key]);
      chart.setCursor({ left: chart.valToPos(data.at[index], "x"), top: 10 }, false);
    });
    chart.hooks.setCursor = [() => {
      const at = places[chart.cursor.idx];
      if (at !== undefined && at !== null && at !== index) show(at);
    }];
    place.addEventListener("dblclick", () => location.assign(data.link[index].href));
    return {
      readout,
      // Where somebody stood before the page was renewed, found again by its check.
      begin: (href) => {
        const before = data.link.findIndex((link) => link.href === href);
        if (before >= 0) show(before);
      },
    };
  }

  function build(figure, number_) {
    const data = read(figure);
    if (data.at.length < 2) return;
    const plot = figure.querySelector(".plot");
    const place = document.createElement("div");
    place.className = "chart";
    place.id = `chart-${number_}`;
    plot.hidden = true;
    plot.after(place);
    const { columns, places } = withGaps(data);
    const chart = new uPlot(options(figure, data, place.clientWidth), columns, place);
    const walk = walkable(place, figure, data, chart, places);
    place.after(walk.readout);
    const watcher = new ResizeObserver(() => {
      if (place.clientWidth > 0) chart.setSize({ width: place.clientWidth, height: HEIGHT });
    });
    watcher.observe(place);
    walk.begin(stood.get(place.id));
    charts.set(figure, () => { watcher.disconnect(); chart.destroy(); figure.querySelector(".readout").remove(); place.remove(); plot.hidden = false; });
  }

  function buildAll() {
    for (const remove of charts.values()) remove();
    charts.clear();
    document.querySelectorAll("figure[data-trend]").forEach(build);
  }

  document.addEventListener("DOMContentLoaded", buildAll);
  document.addEventListener("main-replaced", buildAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", buildAll);
})();
