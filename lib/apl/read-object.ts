import { kindOfValue } from '../options/kind-of-value.js';
import { isPlainObject } from '../options/plain-object.js';
import { type Budget, type DocumentNode, documentBudget, mapEntries, memberPath, placeAt } from './document-node.js';
import { fault, type Origin, type SourceText } from './source-text.js';

/** Reads a document that was given as an object. It has no lines and columns. */
export function readObject(value: unknown, file: string | undefined): DocumentNode {
  return nodeOf(value, '', file, documentBudget(), 0);
}

function nodeOf(value: unknown, path: string, file: string | undefined, budget: Budget, depth: number): DocumentNode {
  const origin: Origin = { file, path, at: () => undefined };
  const source = placeAt(origin, 0);
  budget.take(source, depth);
  const member = (key: string | number, inner: unknown) =>
    nodeOf(inner, memberPath(path, key), file, budget, depth + 1);
  if (typeof value === 'string') return { kind: 'text', source: { text: value, start: 0, origin } };
  if (value === null || typeof value === 'boolean' || typeof value === 'number')
    return { kind: 'scalar', source, value };
  if (Array.isArray(value)) return { kind: 'list', source, items: value.map((inner, index) => member(index, inner)) };
  if (!isPlainObject(value)) {
    const fix = 'A document holds plain objects, arrays, strings, numbers, booleans and null.';
    throw fault(source, `The document holds ${kindOfValue(value)}`, fix);
  }
  const pairs = Object.keys(value).map((key) => ({ key: keySource(key, origin), value: member(key, value[key]) }));
  return { kind: 'map', source, entries: mapEntries(pairs) };
}

function keySource(key: string, origin: Origin): SourceText {
  return { text: key, start: 0, origin };
}
