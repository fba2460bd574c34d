import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compilerFaults } from './support/compiler.js';

const root = new URL('../', import.meta.url);
const readme = read('README.md');

/** Documents whose snippets, but for those that are regions of the examples, make one program. */
const PROGRAMS: ReadonlyArray<{ readonly document: string; readonly examples: readonly string[] }> = [
  {
    document: 'docs/policies.md',
    examples: ['examples/policies/cedar.ts', 'examples/policies/cel.ts', 'examples/policies/app.ts'],
  },
];

describe('documents', () => {
  it('the snippets of the README are the code of the example', () => {
    const snippets = snippetsOf('README.md');
    expect(snippets).to.have.length(2).and.to.deep.equal(regionsOf('examples/compensation/app.ts'));
  });

  for (const { document, examples } of PROGRAMS) {
    it(`the snippets of ${document} are the code of its examples, and the others compile, one after the other`, () => {
      const snippets = snippetsOf(document);
      const regions = examples.flatMap(regionsOf);
      expect(snippets).to.include.members(regions);
      const faults = compilerFaults(snippets.filter((snippet) => !regions.includes(snippet)).join('\n'));
      expect(faults).to.equal('');
    });
  }

  for (const example of ['compensation', 'policies']) {
    it(`the example ${example} plays its scenario to the end`, () => {
      const args = ['--import', 'tsx', `examples/${example}/main.ts`];
      const env = { ...process.env, VALKEY_URL: '' };
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: fileURLToPath(root), env, encoding: 'utf8' });
      expect(stdout).to.include('Every answer was the expected one.');
      expect(status).to.equal(0);
    });
  }

  it('the README names the two commands, and package.json has their scripts', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(readme).to.include('\nnpm ci && npm run example\n').and.to.include('\nnpm ci && npm test\n');
    expect(scripts).to.include.keys('example', 'test');
  });

  const tables = [
    ['aplSessionMiddleware', 'AplSessionOptions', 'lib/middleware/middleware-options.ts'],
    ['MemorySessionStore', 'MemorySessionStoreOptions', 'lib/stores/memory-session-store.ts'],
    ['ValkeySessionStore', 'ValkeySessionStoreOptions', 'lib/stores/valkey/valkey-config.ts'],
  ] as const;
  for (const [heading, type, file] of tables) {
    it(`the README has a row with the default for every option of ${heading}, and no other`, () => {
      const section = only(new RegExp(`^### ${heading}\\n(.*?)(?=^##)`, 'ms'), readme);
      const rows = new Map(all(/^\| `(\w+)` \| (.*?) \|/gm, section).map(([, name, value]) => [name, value]));
      const declared = only(new RegExp(`^export interface ${type} \\{\\n(.*?)^\\}`, 'ms'), read(file));
      const names = all(/^ {2}readonly (\w+)\??:/gm, declared).map(([, name]) => name);
      const schema = only(/^const schema = .*?\(\{\n(.*?)^\}\);/ms, read(file));
      const validated = all(/^ {2}(\w+): Joi/gm, schema).map(([, name]) => name);
      expect([...rows.keys()]).to.have.members(names);
      expect(validated).to.have.members(names);
      for (const [, name, value] of all(/^ {2}(\w+): Joi.*\.default\(['"]?([^'")]+)['"]?\)/gm, schema)) {
        expect(rows.get(name)?.replaceAll('`', ''), name).to.equal(value?.replaceAll('_', ''));
      }
    });
  }

  it('docs/errors.md has a heading for every error code and alarm, and no other', () => {
    const type = only(/^export type AplSessionErrorCode =\n(.*?);/ms, read('lib/contract/errors.ts'));
    const codes = all(/\| '([^']+)'/g, type).map(([, code]) => code);
    const alarms = all(/readonly alarm: '([^']+)'/g, read('lib/contract/alarms.ts')).map(([, alarm]) => alarm);
    const headings = all(/^### `(.+)`$/gm, read('docs/errors.md')).map(([, heading]) => heading);
    expect(codes).to.not.be.empty;
    expect(alarms).to.not.be.empty;
    expect(headings).to.have.members([...codes, ...alarms]);
  });

  it('links between documents lead somewhere', () => {
    for (const document of ['README.md', 'CHANGELOG.md', 'SECURITY.md', 'docs/errors.md', 'docs/policies.md']) {
      for (const [, target = ''] of all(/\]\((?!https:)([^)#]+)/g, read(document))) {
        expect(existsSync(new URL(target, new URL(document, root))), `${document}: ${target}`).to.equal(true);
      }
    }
  });
});

function read(path: string): string {
  return readFileSync(new URL(path, root), 'utf8');
}

function snippetsOf(document: string): string[] {
  return all(/```ts\n(.*?)```/gs, read(document)).map(([, snippet = '']) => snippet);
}

/** The parts of an example that a document shows, with the imports of a consumer. */
function regionsOf(example: string): string[] {
  return all(/\/\/ #region .*?\n(.*?)\/\/ #endregion/gs, read(example)).map(([, region = '']) =>
    region.replace(/'\.\.\/\.\.\/lib\/(\w+)\.js'/g, (_, entry) =>
      entry === 'index' ? "'express-apl-session'" : `'express-apl-session/${entry}'`,
    ),
  );
}

function all(pattern: RegExp, text: string): RegExpExecArray[] {
  return [...text.matchAll(pattern)];
}

/** The first group of a pattern that must match. */
function only(pattern: RegExp, text: string): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`nothing matches ${pattern}`);
  return found;
}
