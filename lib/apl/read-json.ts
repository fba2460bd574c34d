import {
  type Budget,
  type DocumentNode,
  documentBudget,
  type MapEntry,
  mapEntries,
  memberPath,
  placeAt,
} from './document-node.js';
import { fault, type Origin, positionIn, type SourceText } from './source-text.js';

// `JSON.parse` tells no positions, and takes the last one of two equal keys
const WHITE_SPACE = /[ \t\r\n]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has no control characters in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![\w.+-])/y;

interface Reader {
  readonly text: string;
  readonly file: string | undefined;
  readonly budget: Budget;
  at: number;
}

/** @throws PolicyDocumentError */
export function readJson(text: string, file: string | undefined): DocumentNode {
  const reader: Reader = { text, file, budget: documentBudget(), at: 0 };
  const node = readValue(reader, '', 0);
  skipSpace(reader);
  if (reader.at < text.length) throw wrong(reader, '', 'Remove what follows the value.');
  return node;
}

function readValue(reader: Reader, path: string, depth: number): DocumentNode {
  skipSpace(reader);
  const start = reader.at;
  const source = placeAt(originOf(reader, path), start);
  reader.budget.take(source, depth);
  if (take(reader, '{')) return { kind: 'map', source, entries: mapEntries(readMembers(reader, path, depth)) };
  if (take(reader, '[')) return { kind: 'list', source, items: readItems(reader, path, depth) };
  if (reader.text[start] === '"') return { kind: 'text', source: readString(reader, path) };
  const scalar = match(reader, SCALAR);
  if (scalar === undefined) throw wrong(reader, path, 'Write a value of JSON.');
  return { kind: 'scalar', source, value: JSON.parse(scalar) as number | boolean | null };
}

function readMembers(reader: Reader, path: string, depth: number): MapEntry[] {
  const entries: MapEntry[] = [];
  if (take(reader, '}')) return entries;
  do {
    skipSpace(reader);
    const key = readString(reader, path);
    if (!take(reader, ':')) throw wrong(reader, path, 'Write a colon after the key.');
    entries.push({ key, value: readValue(reader, memberPath(path, key.text), depth + 1) });
  } while (take(reader, ','));
  if (!take(reader, '}')) throw wrong(reader, path, 'Write a comma, or } at the end of the object.');
  return entries;
}

function readItems(reader: Reader, path: string, depth: number): DocumentNode[] {
  const items: DocumentNode[] = [];
  if (take(reader, ']')) return items;
  do items.push(readValue(reader, memberPath(path, items.length), depth + 1));
  while (take(reader, ','));
  if (!take(reader, ']')) throw wrong(reader, path, 'Write a comma, or ] at the end of the array.');
  return items;
}

function readString(reader: Reader, path: string): SourceText {
  const start = reader.at;
  const token = match(reader, STRING);
  if (token === undefined) throw wrong(reader, path, 'Write a string in double quotes.');
  const text = JSON.parse(token) as string;
  const origin = originOf(reader, path);
  // with escapes, characters of the value have no place of their own
  const isLiteral = token.length === text.length + 2;
  return isLiteral
    ? { text, start: start + 1, origin }
    : { text, start: 0, origin: { ...origin, at: () => origin.at(start) } };
}

function originOf({ text, file }: Reader, path: string): Origin {
  return { file, path, at: (offset) => positionIn(text, offset) };
}

function take(reader: Reader, character: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== character) return false;
  reader.at++;
  return true;
}

function skipSpace(reader: Reader): void {
  match(reader, WHITE_SPACE);
}

function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  reader.at += found?.length ?? 0;
  return found;
}

function wrong(reader: Reader, path: string, fix: string): Error {
  const text = reader.text.slice(reader.at, reader.at + 20);
  return fault({ text, start: reader.at, origin: originOf(reader, path) }, 'The document is not valid JSON', fix);
}
