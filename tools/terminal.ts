import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours a text if the stream shows colours (a terminal; NO_COLOR and FORCE_COLOR are respected). */
export function createPainter(stream: NodeJS.WriteStream): (style: Style, text: string) => string {
  // Node 20's styleText does not look at the stream itself.
  const { NO_COLOR, FORCE_COLOR } = process.env;
  const forced = FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  const isOn = forced || (stream.isTTY && !NO_COLOR && process.env['TERM'] !== 'dumb');
  return isOn ? (style, text) => styleText(style, text) : (_, text) => text;
}
