import type * as Yaml from 'yaml';
import {
  type Budget,
  type DocumentNode,
  documentBudget,
  type MapEntry,
  mapEntries,
  memberPath,
  placeAt,
} from './document-node.js';
import { optionalPackage } from './optional-package.js';
import { fault, type Origin, positionIn, type SourceText, sourceText } from './source-text.js';

interface Reader {
  readonly yaml: typeof Yaml;
  readonly document: Yaml.Document;
  readonly text: string;
  readonly file: string | undefined;
  readonly budget: Budget;
}

/**
 * Reads YAML 1.2. Refuses duplicate keys, tags of other types, several documents, and aliases that expand to a large document.
 * @throws PolicyDocumentError
 */
export function readYaml(text: string, file: string | undefined): DocumentNode {
  const place = sourceText(text, file);
  const yaml = optionalPackage<typeof Yaml>('yaml', 'A document in YAML', { ...place, text: '' });
  const document = yaml.parseDocument(text, { version: '1.2', schema: 'core', prettyErrors: false, uniqueKeys: false });
  // a warning means that a tag was ignored; mapEntries() refuses duplicate keys in less time
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const [start, end] = problem.pos;
    const excerpt: SourceText = { ...place, text: text.slice(start, Math.min(end, start + 40)), start };
    throw fault(excerpt, `The document is not valid YAML (${problem.message.split('\n')[0]})`, 'Correct it.');
  }
  return nodeOf({ yaml, document, text, file, budget: documentBudget() }, document.contents, '', 0);
}

function nodeOf(reader: Reader, given: unknown, path: string, depth: number): DocumentNode {
  const { yaml } = reader;
  const start = (yaml.isNode(given) && given.range?.[0]) || 0;
  const origin = originOf(reader, path);
  const source = placeAt(origin, start);
  reader.budget.take(source, depth);
  if (yaml.isAlias(given)) {
    const target = given.resolve(reader.document);
    if (!target) throw fault(source, 'The alias has no anchor before it', 'Define the anchor first.');
    return nodeOf(reader, target, path, depth + 1);
  }
  if (yaml.isSeq(given)) {
    const items = given.items.map((item, index) => nodeOf(reader, item, memberPath(path, index), depth + 1));
    return { kind: 'list', source, items };
  }
  if (yaml.isMap(given)) {
    const entries = given.items.map((pair) => entryOf(reader, pair, path, depth));
    return { kind: 'map', source, entries: mapEntries(entries) };
  }
  if (given === null || given === undefined) return { kind: 'scalar', source, value: null };
  return scalarOf(reader, given as Yaml.Scalar, source, path);
}

function entryOf(reader: Reader, { key, value }: Yaml.Pair, path: string, depth: number): MapEntry {
  const name = nodeOf(reader, key, path, depth + 1);
  if (name.kind !== 'text') throw fault(name.source, 'A key of the document is no string', 'Put it into quotes.');
  return { key: name.source, value: nodeOf(reader, value, memberPath(path, name.source.text), depth + 1) };
}

function scalarOf(reader: Reader, { value, range }: Yaml.Scalar, source: SourceText, path: string): DocumentNode {
  if (typeof value !== 'string') {
    return { kind: 'scalar', source, value: value as number | boolean | null };
  }
  const [start, end] = range ?? [0, 0];
  const origin = originOf(reader, path);
  const literal = reader.text.slice(start, end);
  for (const quote of [0, 1]) {
    if (literal.slice(quote, literal.length - quote) === value) {
      return { kind: 'text', source: { text: value, start: start + quote, origin } };
    }
  }
  // characters of a text with escapes or several lines have no place of their own
  return { kind: 'text', source: { text: value, start: 0, origin: { ...origin, at: () => origin.at(start) } } };
}

function originOf({ text, file }: Reader, path: string): Origin {
  return { file, path, at: (offset) => positionIn(text, offset) };
}
