import type { Reply } from './resp-parser.js';

/** Reads the reply to `CONFIG GET`, which is a list of names and values. */
export function settingsIn(config: Reply | undefined): ReadonlyMap<string, string> {
  const words = Array.isArray(config) ? config.map(String) : [];
  return new Map(words.flatMap((name, index) => (index % 2 === 0 ? [[name, words[index + 1] ?? ''] as const] : [])));
}
