"use strict";
// Particles, decoded from the text of the page, and which of them are selected.

function decoded(text, type) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return new type(bytes.buffer);
}

function decodedPoints(packed) {
  const column = (each) => ({ ...each, steps: decoded(each.steps, Uint16Array) });
  return {
    n: packed.n,
    unknown: packed.unknown,
    index: decoded(packed.index, Uint32Array),
    maps: packed.maps.map((each) => ({ ...each, axes: each.axes.map(column) })),
    kinds: packed.kinds.map((each) => ({ ...each, codes: decoded(each.codes, Uint16Array) })),
    numbers: packed.numbers.map(column),
    latents: packed.latents
      && { dim: packed.latents.dim, values: decoded(packed.latents.values, Float32Array) },
    selected: new Uint8Array(packed.n),
  };
}

const STEPS = 65534;

function valueOf(column, row) {
  return column.low + (column.steps[row] / STEPS) * (column.high - column.low);
}

// Colours as bytes: [red, green, blue] of "#rrggbb".
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// The colour of each particle as index into a list of colours; -1 where nothing is known.
function colouring(points, name, data) {
  const kind = points.kinds.find((each) => each.name === name);
  if (kind) {
    const colours = data.palette.map(channels);
    return { kind, colours, of: (row) => kind.codes[row] % colours.length };
  }
  const number = points.numbers.find((each) => each.name === name);
  const colours = data.gradient.map(channels);
  const [low, high] = number.likely;
  const scale = (colours.length - 1) / (high - low || 1);
  const of = (row) => number.steps[row] === points.unknown ? -1
    : Math.max(0, Math.min(colours.length - 1, Math.round((valueOf(number, row) - low) * scale)));
  return { number, colours, of };
}

function select(points, isMeant, how = "replace") {
  for (let row = 0; row < points.n; row++) {
    const meant = isMeant(row);
    if (how === "replace") points.selected[row] = meant ? 1 : 0;
    else if (meant) points.selected[row] = how === "add" ? 1 : 0;
  }
}

function selectedRows(points) {
  const rows = [];
  for (let row = 0; row < points.n; row++) if (points.selected[row]) rows.push(row);
  return rows;
}

// Text of a file with what is selected: one line for each particle.
function savedText(points, what) {
  const line = {
    indices: (row) => points.index[row],
    rows: (row) => row,
    latents: (row) => Array.from(
      points.latents.values.subarray(row * points.latents.dim, (row + 1) * points.latents.dim),
      (value) => value.toPrecision(9),
    ).join(" "),
  }[what];
  return selectedRows(points).map((row) => line(row) + "\n").join("");
}
