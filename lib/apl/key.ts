import { trimWhiteSpace } from './source-text.js';

/** The name of an attribute. With groups it is made at evaluation: `data[a].b` is `data.`, the value of `a`, and `.b`. */
export interface Key {
  readonly text: string;
  readonly groups: readonly KeyGroup[] | undefined;
  /** What follows the last group. */
  readonly tail: string;
}

interface KeyGroup {
  readonly before: string;
  readonly inner: string;
}

/** @param text a key, as the tokenizer has found it */
export function parseKey(text: string): Key {
  if (!text.includes('[')) return { text, groups: undefined, tail: '' };
  const groups: KeyGroup[] = [];
  let rest = text;
  for (let open = rest.indexOf('['); open >= 0; open = rest.indexOf('[')) {
    const close = rest.indexOf(']', open);
    groups.push({ before: rest.slice(0, open), inner: trimWhiteSpace(rest.slice(open + 1, close)) });
    rest = rest.slice(close + 1);
  }
  return { text, groups, tail: rest };
}
