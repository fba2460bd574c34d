import { readFileSync } from 'node:fs';

/** The root of the repository. */
export const ROOT = new URL('../../', import.meta.url);

/** A file of the repository. */
export function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

export function all(pattern: RegExp, text: string): RegExpExecArray[] {
  return [...text.matchAll(pattern)];
}

/** The first group of a pattern that must match. */
export function only(pattern: RegExp, text: string): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`nothing matches ${pattern}`);
  return found;
}

export interface Snippet {
  /** The nearest heading above. */
  readonly heading: string;
  readonly code: string;
}

/** The TypeScript of a document. */
export function snippetsOf(document: string): readonly Snippet[] {
  const snippets: Snippet[] = [];
  let heading = '';
  for (const [, language, code = '', title] of all(/^```(\w*)\n(.*?)^```$|^#+ ([^\n]+)$/gms, read(document))) {
    if (title !== undefined) heading = title;
    else if (language === 'ts') snippets.push({ heading, code });
  }
  return snippets;
}
