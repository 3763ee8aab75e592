/** A surface on a canvas. Colours are those of the theme in force, patterns are made once for each. */
import { inkOfLook, LOOKS, PATTERNS, SHAPES, TILE, type Ink, type Surface } from '../surface.ts';

export function createCanvasSurface(context: CanvasRenderingContext2D, palette: Readonly<Record<Ink, string>>): Surface {
  const patterns = PATTERNS.slice(0, LOOKS).map((lines, look) => patternOf(context, lines, palette[inkOfLook(look)]));
  return {
    fill: (x, y, width, height, { ink, opacity = 1, pattern = 0 }) => {
      context.fillStyle = palette[ink];
      if (opacity < 1) context.globalAlpha = opacity;
      context.fillRect(x, y, width, height);
      if (opacity < 1) context.globalAlpha = 1;
      const lines = patterns[pattern];
      if (pattern === 0 || !lines) return;
      context.fillStyle = lines;
      context.fillRect(x, y, width, height);
    },
    outline: (x, y, width, height, ink) => {
      context.strokeStyle = palette[ink];
      context.strokeRect(x + 0.5, y + 0.5, Math.max(width - 1, 0), height - 1);
    },
    line: (points, ink) => {
      context.strokeStyle = palette[ink];
      context.beginPath();
      for (let index = 0; index < points.length; index += 2) context.lineTo(points[index]!, points[index + 1]!);
      context.stroke();
    },
    shape: (shape, x, y, size, ink) => {
      const corners = SHAPES[shape];
      context.fillStyle = palette[ink];
      context.beginPath();
      for (let index = 0; index < corners.length; index += 2) context.lineTo(x + corners[index]! * size, y + corners[index + 1]! * size);
      context.fill();
    },
    text: (text, x, y, ink, { anchor = 'start', isBold = false, size = 12 } = {}) => {
      context.fillStyle = palette[ink];
      context.textAlign = anchor === 'middle' ? 'center' : anchor;
      context.font = `${isBold ? '600 ' : ''}${size}px system-ui, "DejaVu Sans", sans-serif`;
      context.fillText(text, x, y);
    },
  };
}

function patternOf(
  context: CanvasRenderingContext2D,
  lines: readonly (readonly [number, number, number, number])[],
  colour: string,
): CanvasPattern | null {
  // Twice as many pixels as the tile has, for screens with more of them than CSS has.
  const scale = 2;
  const tile = document.createElement('canvas');
  tile.width = tile.height = TILE * scale;
  const own = tile.getContext('2d');
  if (!own) return null;
  own.scale(scale, scale);
  own.strokeStyle = colour;
  own.lineWidth = 1.5;
  own.beginPath();
  for (const [x1, y1, x2, y2] of lines) {
    own.moveTo(x1, y1);
    own.lineTo(x2, y2);
  }
  own.stroke();
  const pattern = context.createPattern(tile, 'repeat');
  pattern?.setTransform(new DOMMatrix([1 / scale, 0, 0, 1 / scale, 0, 0]));
  return pattern;
}
