// Placeholders, painted from a ThumbHash (https://evanw.github.io/thumbhash/): what a picture looks like, nearly, in 25 bytes.

const EDGE = 24; // px of the longer edge: the browser makes it smooth
const MOST = 8; // frequencies along an edge
const [OF_COLOUR, OF_ALPHA] = [[3, 3], [5, 5]];
const VIVID = 1.25; // times the colours, as their frequencies are few

/** Paint a hash, given in Base64, on a canvas, which gets its size. */
export function paint(canvas, hash) {
  const bytes = Uint8Array.from(atob(hash), (character) => character.charCodeAt(0));
  const { brightness, yellow, redness, alpha, ratio } = read(bytes);
  canvas.width = Math.round(ratio > 1 ? EDGE : EDGE * ratio);
  canvas.height = Math.round(ratio > 1 ? EDGE / ratio : EDGE);
  const [across, down] = [canvas.width, canvas.height].map(cosines);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const [ls, ps, qs, as] = [brightness, yellow, redness, alpha].map((channel) => channel && surface(channel, across, down));
  for (let at = 0; at < canvas.width * canvas.height; at += 1) {
    const [l, q] = [ls[at], qs[at]];
    const blue = l - (2 / 3) * ps[at];
    const red = (3 * l - blue + q) / 2;
    image.data.set([255 * red, 255 * (red - q), 255 * blue, as ? 255 * as[at] : 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
}

/** The values of a channel, row by row: its waves are added up along one edge, and then along the other. */
function surface({ mean, waves }, across, down) {
  const [width, height] = [across[0].length, down[0].length];
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const row = new Float32Array(MOST);
    for (const [i, j, size] of waves) row[i] += 2 * size * down[j][y];
    for (let x = 0; x < width; x += 1) {
      let value = mean;
      for (let i = 0; i < MOST; i += 1) value += row[i] * across[i][x];
      values[y * width + x] = value;
    }
  }
  return values;
}

/** By frequency, the cosines along an edge. */
function cosines(length) {
  const wave = (frequency) => Float32Array.from({ length }, (_, at) => Math.cos((Math.PI / length) * frequency * (at + 0.5)));
  return Array.from({ length: MOST }, (_, frequency) => wave(frequency));
}

function read(bytes) {
  const bits = (from, count) => {
    let value = 0;
    for (let bit = 0; bit < count; bit += 1) value |= ((bytes[(from + bit) >> 3] >> ((from + bit) & 7)) & 1) << bit;
    return value;
  };
  const [hasAlpha, isWide, shorter] = [bits(23, 1), bits(39, 1), bits(24, 3)];
  const longer = hasAlpha ? 5 : 7;
  let at = hasAlpha ? 48 : 40; // bits
  const channel = (mean, scale, [across, down]) => {
    const waves = [];
    for (let y = 0; y < down; y += 1) {
      for (let x = y ? 0 : 1; x * down < across * (down - y); x += 1, at += 4) {
        waves.push([x, y, (bits(at, 4) / 7.5 - 1) * scale]);
      }
    }
    return { mean, waves };
  };
  const shape = isWide ? [longer, shorter] : [shorter, longer];
  return {
    brightness: channel(bits(0, 6) / 63, bits(18, 5) / 31, shape.map((count) => Math.max(3, count))),
    yellow: channel(bits(6, 6) / 31.5 - 1, (bits(27, 6) / 63) * VIVID, OF_COLOUR),
    redness: channel(bits(12, 6) / 31.5 - 1, (bits(33, 6) / 63) * VIVID, OF_COLOUR),
    alpha: hasAlpha ? channel(bits(40, 4) / 15, bits(44, 4) / 15, OF_ALPHA) : null,
    ratio: shape[0] / shape[1],
  };
}
