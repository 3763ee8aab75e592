import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours a text if the stream shows colours (a terminal; NO_COLOR and FORCE_COLOR are respected). */
export function createPainter(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  // Early styleText looks at no stream, later ones at standard output unless told not to.
  const { NO_COLOR, FORCE_COLOR } = process.env;
  // As Node's own documentation has it: FORCE_COLOR outweighs NO_COLOR, and any value it doesn't know means no colours.
  const isOn =
    FORCE_COLOR === undefined
      ? stream.isTTY && !NO_COLOR && process.env['TERM'] !== 'dumb'
      : ['', '1', '2', '3', 'true'].includes(FORCE_COLOR);
  return isOn ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
}
