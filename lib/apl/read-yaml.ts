import type * as Yaml from 'yaml';
import {
  type Budget,
  DEEPEST,
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
  readonly text: string;
  readonly file: string | undefined;
  readonly budget: Budget;
  /** `open` while the value of the anchor is read. */
  readonly anchors: Map<string, Anchor | 'open'>;
}

interface Anchor {
  readonly node: DocumentNode;
  /** How many values it has. */
  readonly size: number;
  /** How many levels are below it. */
  readonly height: number;
}

/**
 * Reads YAML 1.2. Refuses duplicate keys, tags of other types, several documents, and aliases that expand to a large document.
 * @throws PolicyDocumentError
 */
export function readYaml(text: string, file: string | undefined): DocumentNode {
  const place = sourceText(text, file);
  const yaml = optionalPackage<typeof Yaml>('yaml', 'A document in YAML', { ...place, text: '' });
  const document = composed(yaml, place);
  // a warning means that a tag was ignored; mapEntries() refuses duplicate keys in less time
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) {
    const [start, end] = problem.pos;
    const excerpt: SourceText = { ...place, text: text.slice(start, Math.min(end, start + 40)), start };
    throw fault(excerpt, `The document is not valid YAML (${problem.message.split('\n')[0]})`, 'Correct it.');
  }
  return nodeOf({ yaml, text, file, budget: documentBudget(), anchors: new Map() }, document.contents, '', 0);
}

/** As `yaml.parseDocument()`, which ends the process if a document is nested so deeply that the stack is full. */
function composed(yaml: typeof Yaml, place: SourceText): Yaml.Document {
  const { text } = place;
  const tokens = [...new yaml.Parser().parse(text)];
  if (isDeeper(tokens, DEEPEST))
    throw fault({ ...place, text: '' }, `The document has more than ${DEEPEST} levels`, 'Nest fewer values.');
  const composer = new yaml.Composer({ version: '1.2', schema: 'core', prettyErrors: false, uniqueKeys: false });
  const [document, second] = composer.compose(tokens, true, text.length);
  if (second) {
    const excerpt = { ...place, text: '', start: second.range[0] };
    throw fault(excerpt, 'The text holds several documents', 'Write one document.');
  }
  return document as Yaml.Document;
}

/** Whether tokens are nested more deeply. Walks level by level, because recursion would need the stack too. */
function isDeeper(tokens: readonly Yaml.CST.Token[], limit: number): boolean {
  let level: Yaml.CST.Token[] = [...tokens];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((token) => {
      if (token.type === 'document') return token.value ?? [];
      if (!('items' in token)) return [];
      return token.items.flatMap(({ key, value }) =>
        [key, value].filter((inner) => inner !== null && inner !== undefined),
      );
    });
  }
  return false;
}

function nodeOf(reader: Reader, given: unknown, path: string, depth: number): DocumentNode {
  const { yaml, anchors, budget } = reader;
  const start = (yaml.isNode(given) && given.range?.[0]) || 0;
  const source = placeAt(originOf(reader, path), start);
  if (yaml.isAlias(given)) return aliased(reader, given.source, source, depth);
  budget.take(source, depth);
  const anchor = yaml.isNode(given) && !yaml.isAlias(given) ? given.anchor : undefined;
  if (anchor === undefined) return ownNode(reader, given, source, path, depth);
  anchors.set(anchor, 'open');
  const own = documentBudget(budget);
  const node = ownNode({ ...reader, budget: own }, given, source, path, depth);
  anchors.set(anchor, { node, size: own.taken() + 1, height: Math.max(0, own.deepest() - depth) });
  return node;
}

/** The node of an anchor is shared, and counts as often as it occurs. `alias.resolve()` would search the whole document. */
function aliased({ anchors, budget }: Reader, name: string, source: SourceText, depth: number): DocumentNode {
  const anchor = anchors.get(name);
  if (anchor === undefined) throw fault(source, 'The alias has no anchor before it', 'Define the anchor first.');
  if (anchor === 'open') throw fault(source, 'The alias is inside its own anchor', 'Remove it.');
  budget.take(source, depth + anchor.height, anchor.size);
  return anchor.node;
}

function ownNode(reader: Reader, given: unknown, source: SourceText, path: string, depth: number): DocumentNode {
  const { yaml } = reader;
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
  if (value === null || typeof value === 'boolean' || typeof value === 'number') {
    return { kind: 'scalar', source, value };
  }
  if (typeof value !== 'string') throw fault(source, 'The document holds a value of another type', 'Remove its tag.');
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
