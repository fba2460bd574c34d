import { fault, type Origin, type SourceText } from './source-text.js';

/** A value of a document, with its place. */
export type DocumentNode = MapNode | ListNode | TextNode | ScalarNode;

export interface MapNode {
  readonly kind: 'map';
  readonly source: SourceText;
  /** In the order of the document. */
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly key: SourceText;
  readonly value: DocumentNode;
}

export interface ListNode {
  readonly kind: 'list';
  readonly source: SourceText;
  readonly items: readonly DocumentNode[];
}

export interface TextNode {
  readonly kind: 'text';
  readonly source: SourceText;
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly source: SourceText;
  readonly value: number | boolean | null;
}

/** Limits of a document. They bound what aliases of YAML can expand to. */
export const DEEPEST = 64;
const MOST_VALUES = 50_000;

/** Counts values and levels, and refuses what is too large. */
export interface Budget {
  readonly take: (source: SourceText, depth: number, values?: number) => void;
  /** How many values were taken. */
  readonly taken: () => number;
  /** The deepest level that was taken. */
  readonly deepest: () => number;
}

/** @param outer a budget that is used up as well */
export function documentBudget(outer?: Budget): Budget {
  let [taken, deepest] = [0, 0];
  return {
    taken: () => taken,
    deepest: () => deepest,
    take: (source, depth, values = 1) => {
      outer?.take(source, depth, values);
      if (depth > DEEPEST) throw fault(source, `The document has more than ${DEEPEST} levels`, 'Nest fewer values.');
      taken += values;
      deepest = Math.max(deepest, depth);
      if (taken > MOST_VALUES)
        throw fault(source, `The document has more than ${MOST_VALUES} values`, 'Make it smaller.');
    },
  };
}

/** The entries of a map. Refuses keys that occur twice, and those that change prototypes. */
export function mapEntries(pairs: Iterable<MapEntry>): ReadonlyMap<string, MapEntry> {
  const entries = new Map<string, MapEntry>();
  for (const entry of pairs) {
    const { text } = entry.key;
    if (text === '__proto__') throw fault(entry.key, 'A key cannot be __proto__', 'Remove it.');
    if (entries.has(text)) throw fault(entry.key, 'The key occurs twice', 'Keep one of them.');
    entries.set(text, entry);
  }
  return entries;
}

/** A source without text, for a value that is no string. */
export function placeAt(origin: Origin, start: number): SourceText {
  return { text: '', start, origin };
}

/** The path of a member, as in JavaScript. */
export function memberPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  if (!/^[A-Za-z_]\w*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** The plain value of a node. */
export function plainValue(node: DocumentNode): unknown {
  switch (node.kind) {
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plainValue(value)]));
    case 'list':
      return node.items.map(plainValue);
    case 'text':
      return node.source.text;
    case 'scalar':
      return node.value;
  }
}

/** The kind of a node, in words. */
export function kindOfNode(node: DocumentNode): string {
  if (node.kind === 'scalar') return node.value === null ? 'nothing' : `a ${typeof node.value}`;
  return node.kind === 'text' ? 'a string' : `a ${node.kind}`;
}
