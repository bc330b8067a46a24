// What moves on the pages: the theme button, charts, tables that sort, and the note that the connection is lost.
(function () {
  "use strict";
  var root = document.documentElement;

  function dark() {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function color(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }

  // --- theme
  var button = document.getElementById("theme");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("statewire-theme", root.dataset.theme); } catch (e) { /* for this page only */ }
      redrawAll();
    });
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

  // --- charts
  var charts = new Map(); // chart element -> {plot, data, look}
  var dayMarks = [1, 2, 5, 7, 14, 28, 56, 112, 224].map(function (n) { return n * 86400; });

  // A look is what a chart is drawn by: {daily, lines: [{label, unit}]}. What is in percent has an axis of its own.
  function options(width, look, points) {
    var lines = [color("--sw-line-1"), color("--sw-line-2"), color("--sw-line-3"), color("--sw-line-4")];
    var shares = look.lines.some(function (line) { return line.unit === "%"; });
    var axis = { stroke: color("--sw-muted"), grid: { stroke: color("--sw-grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    var time = Object.assign({ space: 64, values: function (u, splits, i, space, step) { return splits.map(function (t) { return stamp(t, step); }); } }, axis);
    if (look.daily) time.incrs = dayMarks;
    var counts = Object.assign({ size: 56, values: function (u, v) { return v.map(short); } }, axis);
    var scales = { y: { range: function (u, min, max) { return [0, Math.max(4, (max || 0) * 1.1)]; } } };
    var axes = [time, counts];
    if (look.daily) scales.x = { range: function (u, min, max) { return max > min ? [min, max] : [min - 86400, max + 86400]; } };
    if (shares) {
      scales["%"] = { range: function () { return [0, 100]; } };
      axes = [time, Object.assign({}, axis, { scale: "%", size: 56, stroke: lines[0], values: function (u, v) { return v.map(function (n) { return n + " %"; }); } }),
        Object.assign({}, counts, { side: 1, stroke: lines[1], grid: { show: false } })];
    }
    return {
      width: width, height: 220, padding: [8, shares ? 0 : 18, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      tzDate: function (ts) { return uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"); },
      scales: scales,
      axes: axes,
      series: [{ label: look.daily ? "Day" : "UTC", value: function (u, v) { return v == null ? "–" : moment(v, look.daily); } }]
        .concat(look.lines.map(function (line, i) {
          return { label: line.label, scale: line.unit || "y", stroke: lines[i % lines.length], width: 2,
            points: { show: points < 32 && look.daily, size: 5 },
            fill: i === 0 ? color("--sw-fill") : undefined,
            value: function (u, v) { return v == null ? "–" : v.toLocaleString("en") + (line.unit ? " " + line.unit : ""); } };
        }))
    };
  }

  function moment(t, daily) {
    var text = new Date(t * 1e3).toISOString();
    return daily ? text.slice(0, 10) : text.slice(5, 16).replace("T", " ");
  }

  function stamp(t, step) {
    var text = new Date(t * 1e3).toISOString();
    return step >= 86400 ? text.slice(5, 10) : text.slice(11, 16);
  }

  function short(v) {
    if (v >= 1e6) return v / 1e6 + " M";
    if (v >= 1e4) return v / 1e3 + " k";
    return v.toLocaleString("en");
  }

  function draw(el, data, look) {
    var known = charts.get(el);
    if (known && known.plot && el.contains(known.plot.root) && JSON.stringify(look) === JSON.stringify(known.look)) {
      known.data = data;
      known.plot.setData(data);
      return;
    }
    if (known && known.plot) known.plot.destroy();
    el.textContent = "";
    var plot = new uPlot(options(Math.max(el.clientWidth, 200), look, data[0].length), data, el);
    charts.set(el, { plot: plot, data: data, look: look });
    resize.observe(el);
  }

  function redrawAll() {
    charts.forEach(function (c, el) {
      if (!document.contains(el)) { charts.delete(el); return; }
      c.plot.destroy();
      c.plot = null;
      draw(el, c.data, c.look);
    });
  }

  var resize = new ResizeObserver(function (entries) {
    entries.forEach(function (e) {
      var c = charts.get(e.target);
      if (c && c.plot && e.contentRect.width > 0) c.plot.setSize({ width: Math.max(200, e.contentRect.width), height: 220 });
    });
  });

  function load(source, el) {
    var series = JSON.parse(source.dataset.series);
    draw(el, [JSON.parse(source.dataset.x)].concat(series.map(function (s) { return s.values; })),
      { daily: "daily" in source.dataset, lines: series.map(function (s) { return { label: s.label, unit: s.unit || "" }; }) });
  }

  function findCharts() {
    document.querySelectorAll("[data-chart]").forEach(function (el) { load(el, el); });
    document.querySelectorAll("[data-chart-for]").forEach(function (source) {
      var keep = document.getElementById(source.dataset.chartFor);
      if (keep) load(source, keep.querySelector(".chart"));
    });
  }

  // --- refresh
  var offline = document.getElementById("offline");
  var since = document.getElementById("offline-since");
  var lastGood = new Date();
  document.body.addEventListener("htmx:beforeRequest", function (e) { if (document.hidden) e.preventDefault(); });
  document.body.addEventListener("htmx:afterSettle", findCharts);
  document.body.addEventListener("htmx:afterRequest", function (e) {
    if (e.detail.successful) { lastGood = new Date(); offline.hidden = true; return; }
    since.textContent = lastGood.toISOString().slice(11, 19) + "Z";
    offline.hidden = false;
  });

  // --- what a reader opened stays open when its panel is fetched anew
  var open = new Set();
  document.body.addEventListener("toggle", function (e) {
    if (!e.target.id) return;
    if (e.target.open) open.add(e.target.id); else open.delete(e.target.id);
  }, true);
  document.body.addEventListener("htmx:afterSwap", function () {
    open.forEach(function (id) {
      var details = document.getElementById(id);
      if (details) details.open = true;
    });
  });

  // --- tables: a click on a column's head sorts the rows that the page shows
  function sortable() {
    document.querySelectorAll("table[data-sort] thead th").forEach(function (th) {
      if (th.querySelector("button")) return;
      var button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      while (th.firstChild) button.appendChild(th.firstChild);
      button.addEventListener("click", function () { sortBy(th); });
      th.appendChild(button);
    });
  }

  function valueOf(row, column) {
    var cell = row.cells[column];
    var time = cell.querySelector("time");
    if (time) return time.getAttribute("datetime");
    var text = cell.textContent.trim();
    var number = text.replace(/[,%\s]/g, "");
    if (cell.classList.contains("num") && number !== "" && !isNaN(number)) return Number(number);
    return text;
  }

  function sortBy(th) {
    var body = th.closest("table").tBodies[0];
    var rows = Array.from(body.rows);
    if (rows.length < 2) return;
    var down = th.getAttribute("aria-sort") === "ascending" || (!th.hasAttribute("aria-sort") && th.classList.contains("num"));
    th.parentNode.querySelectorAll("th").forEach(function (other) { if (other !== th) other.removeAttribute("aria-sort"); });
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    var keyed = rows.map(function (row, at) { return { row: row, at: at, value: valueOf(row, th.cellIndex) }; });
    keyed.sort(function (a, b) { return (down ? -1 : 1) * compare(a.value, b.value, down) || a.at - b.at; });
    keyed.forEach(function (k) { body.appendChild(k.row); });
  }

  // What is empty stays below, whichever way the column is sorted.
  function compare(a, b, down) {
    if (a === "" || b === "") return a === b ? 0 : ((a === "") === !down ? 1 : -1);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  document.body.addEventListener("htmx:afterSettle", sortable);

  // --- names: the file goes up with the token that the reader types, which is kept nowhere
  document.querySelectorAll("form[data-upload]").forEach(function (form) {
    form.hidden = false;
    var said = form.querySelector("[data-said]");
    form.addEventListener("submit", function (e) {
      e.preventDefault();
      var file = form.elements.file.files[0];
      if (!file) { said.textContent = "Choose a file first."; return; }
      said.textContent = "Sending " + file.name + " …";
      fetch(form.dataset.upload, { method: "PUT", body: file, credentials: "omit",
        headers: { "Authorization": "Bearer " + form.elements.token.value.trim(), "Content-Type": /\.csv$/i.test(file.name) ? "text/csv" : "application/x-ndjson" } })
        .then(function (r) { return r.text().then(function (text) { return { ok: r.ok, text: text }; }); })
        .then(function (answer) { said.textContent = words(answer); })
        .catch(function () { said.textContent = "The site does not answer."; });
    });
  });

  function words(answer) {
    var a;
    try { a = JSON.parse(answer.text); } catch (e) { return answer.text.slice(0, 500); }
    if (!answer.ok) return a.detail || a.title || "Refused.";
    return Object.keys(a).filter(function (k) { return typeof a[k] === "number"; })
      .map(function (k) { return k.replace(/_/g, " ") + " " + a[k].toLocaleString("en"); }).join(", ") + ".";
  }

  findCharts();
  sortable();
})();
