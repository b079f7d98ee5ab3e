// The page: what is shown, chosen and saved.

const MOST_LISTED = 200;
const data = JSON.parse(document.getElementById("data").textContent);
const points = decodedPoints(data.points);
const tomograms = points.kinds.find((each) => each.name === "tomogram");
const byId = (name) => document.getElementById(name);

function element(tag, text = "", more = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, more);
}

function short(value) {
  return Number.isFinite(value) ? Number(value.toPrecision(5)).toString() : "";
}

const scatters = points.maps.map((map) => {
  const figure = element("figure", "", { className: "map" });
  const canvas = element("canvas");
  const [x, y] = map.axes.map((axis) => axis.name);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${map.name}: ${points.n} particles, ${x} across, ${y} up`);
  figure.append(canvas, element("figcaption", `${map.name}: ${x} across, ${y} up`));
  byId("maps").append(figure);
  return new Scatter(map, points, canvas, showSelection);
});

let colours = null;

function drawAll() {
  scatters.forEach((scatter) => scatter.draw(colours));
}

function showSelection() {
  drawAll();
  const rows = selectedRows(points);
  byId("count").textContent = `${rows.length.toLocaleString("en")} of `
    + `${points.n.toLocaleString("en")} particles selected`;
  document.querySelectorAll(".save").forEach((button) => {
    button.disabled = !rows.length || (button.dataset.save === "latents" && !points.latents);
  });
  byId("clear").disabled = !rows.length;
  byId("listed").replaceChildren(...(rows.length ? [listOf(rows)] : []));
}

function listOf(rows) {
  const shown = rows.slice(0, MOST_LISTED);
  const details = element("details");
  const more = rows.length > shown.length ? `, the first ${shown.length}` : "";
  const table = element("table");
  const line = (cells, tag) => {
    const row = table.insertRow();
    row.append(...cells.map((cell) => element(tag, String(cell))));
  };
  const columns = points.numbers.slice(0, 6);
  line(["index", "row", ...points.kinds.map((k) => k.name), ...columns.map((c) => c.name)], "th");
  for (const row of shown) {
    line([points.index[row], row, ...points.kinds.map((k) => k.names[k.codes[row]]),
      ...columns.map((c) => c.steps[row] === points.unknown ? "" : short(valueOf(c, row)))], "td");
  }
  details.append(element("summary", `Selected particles${more}`), table);
  return details;
}

function showLegend() {
  byId("legend").replaceChildren(...(colours.kind ? kindLegend() : numberLegend()));
}

function kindLegend() {
  const counts = new Uint32Array(colours.kind.names.length);
  colours.kind.codes.forEach((code) => counts[code]++);
  return colours.kind.names.map((name, code) => {
    const button = element("button", `${name} (${counts[code].toLocaleString("en")})`,
      { type: "button", title: "Select these; Shift adds, Alt takes away" });
    const dot = element("i");
    dot.style.background = data.palette[code % data.palette.length];
    button.prepend(dot);
    button.addEventListener("click", (event) => {
      const how = event.shiftKey ? "add" : event.altKey ? "remove" : "replace";
      select(points, (row) => colours.kind.codes[row] === code, how);
      showSelection();
    });
    return button;
  });
}

function numberLegend() {
  const { number } = colours;
  const bar = element("span", "", { className: "gradient" });
  bar.style.background = `linear-gradient(to right, ${data.gradient.join(", ")})`;
  const ends = [number.low, number.high].map((value, end) => {
    const input = element("input", "", { type: "number", step: "any", value: short(value) });
    input.setAttribute("aria-label", `${end ? "highest" : "lowest"} ${number.name} to select`);
    return input;
  });
  const button = element("button", "Select this range", { type: "button" });
  button.addEventListener("click", () => {
    const [low, high] = ends.map((input) => Number(input.value));
    const slack = (number.high - number.low) * 1e-4; // numbers of 16 bits, ends of 5 digits
    select(points, (row) => number.steps[row] !== points.unknown
      && valueOf(number, row) >= low - slack && valueOf(number, row) <= high + slack);
    showSelection();
  });
  return [element("span", short(number.likely[0])), bar, element("span", short(number.likely[1])),
    ...ends, button];
}

function recolour() {
  colours = colouring(points, byId("colour").value, data);
  showLegend();
  drawAll();
}

function save(what) {
  const link = element("a", "", { download: `${what}.txt` });
  link.href = URL.createObjectURL(new Blob([savedText(points, what)], { type: "text/plain" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function chooseTomogram() {
  const shown = byId("tomogram").value;
  scatters.forEach((scatter) => {
    scatter.tomogram = shown === "" ? null : { codes: tomograms.codes, shown: Number(shown) };
  });
  drawAll();
}

function begin() {
  byId("how").hidden = !scatters.length;
  document.querySelector("[data-save=latents]").hidden = !points.latents;
  for (const { name } of [...points.kinds, ...points.numbers]) {
    byId("colour").append(element("option", name, { value: name }));
  }
  if (tomograms && points.maps.some((map) => map.by_tomogram)) {
    byId("tomogram").append(...tomograms.names.map((name, code) =>
      element("option", name, { value: code })), element("option", "all", { value: "" }));
    chooseTomogramQuietly();
  } else {
    byId("tomogram-choice").hidden = true;
  }
  byId("colour").addEventListener("change", recolour);
  byId("tomogram").addEventListener("change", chooseTomogram);
  byId("clear").addEventListener("click", () => { points.selected.fill(0); showSelection(); });
  byId("invert").addEventListener("click", () => {
    select(points, (row) => !points.selected[row]);
    showSelection();
  });
  document.querySelectorAll(".save").forEach((button) =>
    button.addEventListener("click", () => save(button.dataset.save)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { points.selected.fill(0); showSelection(); }
  });
  window.addEventListener("resize", drawAll);
  recolour();
  showSelection();
}

function chooseTomogramQuietly() {
  scatters.forEach((scatter) => { scatter.tomogram = { codes: tomograms.codes, shown: 0 }; });
}

// With #selftest in the address the page draws a lasso around the left half of the first map and
// writes what is selected, and what would be saved, into itself.
function selfTest() {
  const { canvas } = scatters[0];
  const box = canvas.getBoundingClientRect();
  const corners = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]];
  const send = (kind, [u, v]) => canvas.dispatchEvent(new PointerEvent(kind,
    { clientX: box.left + u * box.width, clientY: box.top + v * box.height, pointerId: 1 }));
  const start = performance.now();
  send("pointerdown", corners[0]);
  corners.slice(1).forEach((corner) => send("pointermove", corner));
  send("pointerup", corners[3]);
  byId("selftest").textContent = JSON.stringify({
    count: byId("count").textContent,
    rows: selectedRows(points),
    indices: savedText(points, "indices"),
    latents: points.latents && savedText(points, "latents"),
    milliseconds: performance.now() - start,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
  });
}

begin();
if (location.hash === "#selftest") selfTest();
