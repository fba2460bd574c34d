import { styleText } from 'node:util';
import type { Terminal } from './terminal.js';

const STYLES = { good: 'green', doubtful: 'yellow', bad: 'red', quiet: 'gray', strong: 'bold' } as const;

export type Tone = keyof typeof STYLES;

/** Adds the colour of a tone to a text, or returns the text as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** Colours are only for a terminal, and not if NO_COLOR is set (https://no-color.org). */
export function paintFor(stream: Terminal['out'], env: Terminal['env']): Paint {
  if (!stream.isTTY || env['NO_COLOR'] || env['TERM'] === 'dumb') return (_, text) => text;
  // the stream that `styleText` would ask by itself is always stdout
  return (tone, text) => styleText(STYLES[tone], text, { validateStream: false });
}
