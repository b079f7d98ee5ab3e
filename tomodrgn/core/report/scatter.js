// Particles on one map, drawn pixel by pixel, and a lasso around them.

const MARGIN = 0.03;
const GREY = [150, 150, 150];

class Scatter {
  constructor(map, points, canvas, changed) {
    Object.assign(this, { map, points, canvas, changed, way: [], tomogram: null });
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.follow(event));
    canvas.addEventListener("pointerup", (event) => this.finish(event));
    canvas.addEventListener("pointercancel", () => { this.way = []; this.outline(); });
  }

  isShown(row) {
    const [x, y] = this.map.axes;
    if (x.steps[row] === this.points.unknown || y.steps[row] === this.points.unknown) return false;
    return !this.map.by_tomogram || this.tomogram === null
      || this.tomogram.codes[row] === this.tomogram.shown;
  }

  // Factors that take steps of an axis to parts of the canvas.
  scales() {
    const [x, y] = this.map.axes;
    const spans = [x.high - x.low, y.high - y.low];
    const widest = Math.max(...spans);
    return spans.map((span) => {
      const part = (1 - 2 * MARGIN) * (this.map.has_scale ? span / widest : 1);
      return { factor: part / STEPS, start: (1 - part) / 2 };
    });
  }

  // Pixels across a dot: fewer, the more particles are shown.
  dotSize(side) {
    let shown = 0;
    for (let row = 0; row < this.points.n; row++) if (this.isShown(row)) shown++;
    return Math.max(1, Math.round(side / (shown > 20000 ? 400 : shown > 2000 ? 200 : 80)));
  }

  draw(colours) {
    const side = Math.max(1, Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1)));
    this.canvas.width = this.canvas.height = side;
    const image = new ImageData(side, side);
    const selected = this.points.selected;
    const anySelected = selected.includes(1);
    const size = this.dotSize(side);
    const corner = size > 3 ? Math.floor(size / 3) : 0;
    const [across, up] = this.scales();
    const [x, y] = this.map.axes;
    const paint = (row, isFaint) => {
      const code = colours.of(row);
      const rgb = isFaint || code < 0 ? GREY : colours.colours[code];
      const left = Math.round((x.steps[row] * across.factor + across.start) * side - size / 2);
      const top = Math.round((1 - y.steps[row] * up.factor - up.start) * side - size / 2);
      for (let v = Math.max(0, top); v < Math.min(side, top + size); v++) {
        const inset = Math.max(0, corner - Math.min(v - top, top + size - 1 - v)); // round dots
        for (let u = Math.max(0, left + inset); u < Math.min(side, left + size - inset); u++) {
          const at = 4 * (v * side + u);
          image.data[at] = rgb[0];
          image.data[at + 1] = rgb[1];
          image.data[at + 2] = rgb[2];
          image.data[at + 3] = isFaint ? 90 : 255;
        }
      }
    };
    for (let row = 0; row < this.points.n; row++) {
      if (!(anySelected && selected[row]) && this.isShown(row)) paint(row, anySelected);
    }
    if (anySelected) {
      for (let row = 0; row < this.points.n; row++) {
        if (selected[row] && this.isShown(row)) paint(row, false);
      }
    }
    this.image = image;
    this.outline();
  }

  outline() {
    const pen = this.canvas.getContext("2d");
    pen.putImageData(this.image, 0, 0);
    if (this.way.length < 2) return;
    const side = this.canvas.width;
    pen.beginPath();
    this.way.forEach(([u, v]) => pen.lineTo(u * side, v * side));
    pen.closePath();
    pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    pen.lineWidth = Math.max(1, side / 400);
    pen.stroke();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  begin(event) {
    if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId);
    this.way = [this.place(event)];
  }

  follow(event) {
    if (!this.way.length) return;
    this.way.push(this.place(event));
    this.outline();
  }

  finish(event) {
    const how = event.shiftKey ? "add" : event.altKey ? "remove" : "replace";
    const way = this.way;
    this.way = [];
    if (way.length < 3) return this.outline();
    const [across, up] = this.scales();
    const [x, y] = this.map.axes;
    select(this.points, (row) => this.isShown(row) && isInside(way,
      x.steps[row] * across.factor + across.start, 1 - y.steps[row] * up.factor - up.start), how);
    this.changed();
  }
}

// Whether a place lies in a polygon: a ray from it crosses the outline an odd number of times.
function isInside(way, u, v) {
  let inside = false;
  for (let i = 0, j = way.length - 1; i < way.length; j = i++) {
    const [a, b] = way[i], [c, d] = way[j];
    if ((b > v) !== (d > v) && u < ((c - a) * (v - b)) / (d - b) + a) inside = !inside;
  }
  return inside;
}
