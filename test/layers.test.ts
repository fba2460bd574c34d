import { readdirSync, readFileSync } from 'node:fs';
import { posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

/** Each folder of lib/ with its layer; `.` holds the entry points. */
const LAYERS: Readonly<Record<string, number>> = {
  contract: 0,
  util: 1,
  options: 2,
  events: 2,
  alarms: 3,
  node: 3,
  session: 3,
  labels: 4,
  denial: 4,
  gate: 4,
  'known-sessions': 5,
  provenance: 5,
  apl: 5,
  'stores/valkey/config': 6,
  'stores/valkey/protocol': 7,
  'stores/valkey/connection': 8,
  'stores/valkey/cluster': 9,
  'stores/valkey/sentinel': 9,
  'stores/valkey/durability': 9,
  'stores/valkey/provenance': 9,
  'stores/valkey/calls': 10,
  'stores/valkey': 11,
  stores: 11,
  middleware: 12,
  guards: 13,
  health: 13,
  'dashboard/page': 13,
  'apl-guards': 14,
  dashboard: 14,
  'open-session': 13,
  testing: 14,
  '.': 15,
  'cli/terminal': 16,
  'cli/target': 17,
  'cli/doctor': 18,
  'cli/capacity': 18,
  'cli/commands': 19,
  cli: 20,
};

/** Source texts by their path below lib/. */
type Sources = ReadonlyMap<string, string>;

const lib = readLib();

describe('layers of lib/', () => {
  it('every file imports from a lower layer or from its own folder only', () => {
    expect(lib.size).to.be.greaterThan(10);
    expect(layerFaults(lib)).to.deep.equal([]);
  });

  it('imports form no cycle', () => {
    expect(cycles(lib)).to.deep.equal([]);
  });

  it('entry points hold named re-exports and nothing else', () => {
    const entries = [...lib.keys()].filter((path) => posix.dirname(path) === '.');
    expect(entries).to.have.members(['apl.ts', 'context.ts', 'dashboard.ts', 'index.ts', 'testing.ts', 'valkey.ts']);
    for (const entry of entries) expect(besidesReExports(source(lib, entry)), entry).to.equal('');
  });

  it('no entry imports a client of Valkey', () => {
    for (const entry of ['index.ts', 'valkey.ts', 'context.ts', 'testing.ts', 'apl.ts', 'dashboard.ts']) {
      expect(packagesReachedFrom(lib, entry)).to.not.include.oneOf(['ioredis', 'iovalkey', 'redis']);
    }
    expect(packagesReachedFrom(lib, 'valkey.ts')).to.include('node:net');
  });

  it('the language reaches neither Express nor a store, and loads its parsers only when needed', () => {
    const language = [...lib.keys()].filter((path) => path.startsWith('apl/'));
    expect(language).to.not.be.empty;
    const reached = language.flatMap((path) => filesReachedFrom(lib, path)).map((path) => posix.dirname(path));
    expect(reached).to.not.include.oneOf(['stores', 'middleware', 'guards', 'gate', 'node']);
    expect(language.flatMap((path) => packagesReachedFrom(lib, path))).to.not.include('express');
    expect([...lib.values()].some((text) => /^import (?!type)[^;]*from '(?:yaml|re2js)'/m.test(text))).to.equal(false);
  });

  it('no entry loads the command line or its parser', () => {
    for (const entry of ['index.ts', 'valkey.ts', 'context.ts', 'testing.ts']) {
      expect(packagesReachedFrom(lib, entry)).to.not.include('commander');
      expect(filesReachedFrom(lib, entry).filter((path) => path.startsWith('cli/'))).to.deep.equal([]);
    }
    expect(packagesReachedFrom(lib, 'cli/main.ts')).to.include('commander');
  });

  it('only the context entry creates an AsyncLocalStorage', () => {
    const makers = (entry: string) => filesReachedFrom(lib, entry).filter((path) => makesContext(source(lib, path)));
    expect(makers('index.ts')).to.deep.equal([]);
    expect(makers('testing.ts')).to.deep.equal([]);
    expect(makers('context.ts')).to.deep.equal(['middleware/security-context.ts']);
  });

  describe('the rule refuses', () => {
    const refused: ReadonlyArray<readonly [what: string, path: string, text: string]> = [
      ['an import from a higher layer', 'contract/a.ts', "import { b } from '../labels/label.js';"],
      ['a type import from a higher layer', 'labels/a.ts', "import type { B } from '../guards/guard.js';"],
      ['an import across two folders of one layer', 'session/a.ts', "import { errorText } from '../alarms/redact.js';"],
      [
        'an import across stores and stores/valkey',
        'stores/valkey/a.ts',
        "export * from '../memory-session-store.js';",
      ],
      ['an import of an entry point', 'middleware/a.ts', "const lazy = import('../index.js');"],
      ['an import of a file that is not there', 'middleware/a.ts', "import './nowhere.js';"],
      ['a folder without a layer', 'helpers/a.ts', ''],
    ];
    for (const [what, path, text] of refused) {
      it(what, () => {
        expect(layerFaults(new Map([...lib, [path, text]]))).to.have.length(1);
      });
    }

    it('a cycle between siblings', () => {
      const looped = new Map([
        ...lib,
        ['labels/a.ts', "import './b.js';"],
        ['labels/b.ts', "export {} from './a.js';"],
      ]);
      expect(cycles(looped)).to.deep.equal(['labels/a.ts > labels/b.ts > labels/a.ts']);
    });

    it('code in an entry point', () => {
      expect(besidesReExports("export { a } from './a.js';\nexport const b = 1;")).to.equal('export const b = 1;');
    });
  });
});

function layerFaults(sources: Sources): string[] {
  return [...sources.keys()].flatMap((path) => {
    const folder = posix.dirname(path);
    const layer = LAYERS[folder];
    if (layer === undefined) return [`${path}: folder ${folder} has no layer`];
    return imports(sources, path).files.flatMap((target) => {
      if (!sources.has(target)) return [`${path}: ${target} does not exist`];
      const targetFolder = posix.dirname(target);
      const lower = (LAYERS[targetFolder] ?? Number.POSITIVE_INFINITY) < layer;
      return lower || targetFolder === folder ? [] : [`${path} must not import ${target}`];
    });
  });
}

function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(' > '));
    if (start >= 0 || done.has(path) || !sources.has(path)) return;
    for (const target of imports(sources, path).files) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

function filesReachedFrom(sources: Sources, entry: string): string[] {
  const reached = new Set([entry]);
  // a set that grows while it is walked is walked to its end
  for (const path of reached) for (const target of imports(sources, path).files) reached.add(target);
  return [...reached];
}

function packagesReachedFrom(sources: Sources, entry: string): string[] {
  return filesReachedFrom(sources, entry).flatMap((path) => imports(sources, path).packages);
}

/** With one, every promise of the process costs more. `AsyncResource` alone changes nothing for others. */
function makesContext(text: string): boolean {
  return /\bAsyncLocalStorage\b|\bcreateHook\b/.test(withoutComments(text));
}

/** What a file imports, for its types alone too: files of lib/, and packages. */
function imports(sources: Sources, path: string): { files: string[]; packages: string[] } {
  const code = withoutComments(source(sources, path));
  const specifiers = [...code.matchAll(/\b(?:from|import|require)\s*\(?\s*(['"])(.+?)\1/g)].map(
    (match) => match[2] ?? '',
  );
  return {
    files: specifiers
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')),
    packages: specifiers.filter((specifier) => !specifier.startsWith('.')),
  };
}

function besidesReExports(text: string): string {
  return withoutComments(text)
    .replace(/^export (type )?\{[^}]*\} from '\.\/[^']+';$/gm, '')
    .trim();
}

function withoutComments(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '');
}

function source(sources: Sources, path: string): string {
  const text = sources.get(path);
  if (text === undefined) throw new Error(`lib/${path} does not exist`);
  return text;
}

function readLib(): Sources {
  const root = fileURLToPath(new URL('../lib/', import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return new Map(paths.map((path) => [path.split(sep).join('/'), readFileSync(`${root}${path}`, 'utf8')]));
}
