/** What a timeline is drawn on: a canvas in the page, SVG for documents. Colours have names; each surface knows what they are. */

/** Names of colours: those of partitions are `p0` to `p7`. */
export const LIGHT = {
  paper: '#ffffff',
  band: '#f4f6f8',
  ink: '#1b1f24',
  faint: '#59636e',
  rule: '#d5dae0',
  plan: '#59636e',
  curve: '#0b5cad',
  alarm: '#b42318',
  caution: '#9a5b00',
  focus: '#7a2fb5',
  p0: '#0b5cad',
  p1: '#b1450b',
  p2: '#1a7340',
  p3: '#8a2f8f',
  p4: '#6b5a00',
  p5: '#a3274d',
  p6: '#0a6b75',
  p7: '#4b4f9e',
} as const;
export type Ink = keyof typeof LIGHT;

export const DARK: Readonly<Record<Ink, string>> = {
  paper: '#14181d',
  band: '#1b2128',
  ink: '#e7ebef',
  faint: '#9ba6b2',
  rule: '#343c46',
  plan: '#9ba6b2',
  curve: '#6db3f2',
  alarm: '#ff7b72',
  caution: '#e3b341',
  focus: '#d2a8ff',
  p0: '#6db3f2',
  p1: '#f0975a',
  p2: '#67c48a',
  p3: '#d694da',
  p4: '#d3bf5a',
  p5: '#f08bab',
  p6: '#5cc5d0',
  p7: '#a9acee',
};

export const LOOKS = 8;
export const inkOfLook = (look: number): Ink => `p${(look % LOOKS) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}`;

/** Side of the square that a pattern repeats. */
export const TILE = 8;
/** The lines of each partition's pattern within its square, as x1, y1, x2, y2: told apart without colour. Diagonals leave the square to meet their next part. */
export const PATTERNS: readonly (readonly [number, number, number, number][])[] = [
  [],
  [
    [-1, 9, 9, -1],
    [-1, 1, 1, -1],
    [7, 9, 9, 7],
  ],
  [[4, 0, 4, 8]],
  [
    [-1, -1, 9, 9],
    [7, -1, 9, 1],
    [-1, 7, 1, 9],
  ],
  [[0, 4, 8, 4]],
  [
    [4, 0, 4, 8],
    [0, 4, 8, 4],
  ],
  [[3, 4, 5, 4]],
  [
    [-1, 9, 9, -1],
    [-1, -1, 9, 9],
  ],
];

/** Closed shapes as corners around 0, 0, for a size of 1. */
export const SHAPES = {
  up: [0, -1, 0.9, 0.8, -0.9, 0.8],
  down: [0, 1, 0.9, -0.8, -0.9, -0.8],
  right: [1, 0, -0.8, 0.9, -0.8, -0.9],
  left: [-1, 0, 0.8, 0.9, 0.8, -0.9],
  diamond: [0, -1, 0.8, 0, 0, 1, -0.8, 0],
  square: [-0.75, -0.75, 0.75, -0.75, 0.75, 0.75, -0.75, 0.75],
  bar: [-0.2, -1, 0.2, -1, 0.2, 1, -0.2, 1],
  flat: [-0.9, -0.25, 0.9, -0.25, 0.9, 0.25, -0.9, 0.25],
  plus: [
    -0.25, -0.9, 0.25, -0.9, 0.25, -0.25, 0.9, -0.25, 0.9, 0.25, 0.25, 0.25, 0.25, 0.9, -0.25, 0.9, -0.25, 0.25, -0.9, 0.25, -0.9, -0.25,
    -0.25, -0.25,
  ],
  cross: [
    -0.9, -0.55, -0.55, -0.9, 0, -0.35, 0.55, -0.9, 0.9, -0.55, 0.35, 0, 0.9, 0.55, 0.55, 0.9, 0, 0.35, -0.55, 0.9, -0.9, 0.55, -0.35, 0,
  ],
  hourglass: [-0.8, -0.9, 0.8, -0.9, -0.8, 0.9, 0.8, 0.9],
  hexagon: [-0.5, -0.85, 0.5, -0.85, 0.95, 0, 0.5, 0.85, -0.5, 0.85, -0.95, 0],
} as const;
export type Shape = keyof typeof SHAPES;

export interface Fill {
  readonly ink: Ink;
  /** 0 to 1. */
  readonly opacity?: number;
  /** Index into PATTERNS: lines of full strength over the fill. */
  readonly pattern?: number;
}

export interface Surface {
  fill(x: number, y: number, width: number, height: number, fill: Fill): void;
  outline(x: number, y: number, width: number, height: number, ink: Ink): void;
  /** x and y in turn. */
  line(points: readonly number[], ink: Ink): void;
  shape(shape: Shape, x: number, y: number, size: number, ink: Ink): void;
  text(text: string, x: number, y: number, ink: Ink, options?: TextOptions): void;
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly isBold?: boolean;
  /** px; 12 if nothing is said. */
  readonly size?: number;
}
