import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compilerFaults } from '../support/compiler.js';
import { all, ROOT, read, snippetsOf } from '../support/documents.js';

const project = (path: string): string => fileURLToPath(new URL(path, ROOT));
const recipe = (path: string): string => read(`test/testing/recipes/${path}`);

/** The file of each runner, and how it replaces and restores the timers. */
const RUNNERS = [
  [
    'mocha/app.test.mjs',
    "const clock = FakeTimers.install({ toNotFake: ['nextTick', 'queueMicrotask'] });",
    'clock.uninstall();',
  ],
  ['node-test/app.test.mjs', 'mock.timers.enable();', 'mock.timers.reset();'],
  ['vitest/app.test.mjs', 'vi.useFakeTimers();', 'vi.useRealTimers();'],
  ['jest/app.test.cjs', 'jest.useFakeTimers();', 'jest.useRealTimers();'],
] as const;
const [MOCHA] = RUNNERS;

describe('docs/testing.md', () => {
  const document = read('docs/testing.md');
  const snippets = all(/^```js\n(.*?)^```$/gms, document).map(([, code]) => code);
  const [body] = snippets.slice(-1);

  it('shows the app, the first lines of each runner, and the tests', () => {
    const heads = RUNNERS.map(([file]) => `${recipe(file).split('\n\n')[0]}\n`);
    expect(snippets).to.deep.equal([recipe('app.mjs'), ...heads, body]);
    for (const [file, fake, real] of RUNNERS) {
      expect(document).to.include(`| \`${fake}\` | \`${real}\` |`);
      const tests = body?.replace(MOCHA[1], fake).replace(MOCHA[2], real);
      expect(recipe(file).slice(recipe(file).indexOf('\n\n') + 2), file).to.equal(tests);
    }
  });

  it('app.cjs is app.mjs as CommonJS', () => {
    const esm = recipe('app.mjs')
      .replace(/^import (.*) from (.*);$/gm, 'const $1 = require($2);')
      .replaceAll('export ', '');
    expect(recipe('app.cjs')).to.equal(`${esm}\nmodule.exports = { createApp, mailJob };\n`);
  });
});

describe('docs/writing-a-store.md', function () {
  this.timeout(60_000);
  const [contract = '', store = '', test = '', factory = ''] = snippetsOf('docs/writing-a-store.md').map(
    ({ code }) => code,
  );

  it('shows the store and its test, as file-session-store.test.ts runs them', () => {
    const published = (path: string): string =>
      recipe(path)
        .replace("'../../../lib/index.js'", "'express-apl-session'")
        .replace("'../../../lib/testing.js'", "'express-apl-session/testing'");
    expect(store).to.equal(published('file-session-store.ts'));
    expect(test).to.equal(published('file-session-store.test.ts'));
  });

  it('the store and its factory compile', () => {
    expect(compilerFaults(`${store}\n${factory}`)).to.equal('');
  });

  it('the interface is what every store of this package has', () => {
    const uses = "export const shown: SessionStore = {} as import('express-apl-session').SessionStore;";
    expect(compilerFaults(`${contract}\n${uses}`)).to.equal('');
  });

  it('has a row for each option of sessionStoreContract()', () => {
    const rows = all(/^\| `(\w+)` \| (?:required|none|`false`) \|/gm, read('docs/writing-a-store.md'));
    const options = read('lib/testing/session-store-contract.ts').split('const schema =')[1] ?? '';
    const names = all(/^ {2}(\w+): Joi/gm, options).map(([, name]) => name);
    expect(names).to.not.be.empty;
    expect(rows.map(([, name]) => name)).to.have.members(names);
  });
});

describe('recipes of docs/testing.md', function () {
  this.timeout(60_000);
  let folder: string;

  // test/package/ tests the packed tarball; here the recipes are tested
  before('compiles the package beside the recipes', () => {
    folder = mkdtempSync(join(tmpdir(), 'express-apl-session-recipes-'));
    cpSync(project('test/testing/recipes'), folder, { recursive: true });
    const installed = join(folder, 'node_modules/express-apl-session');
    mkdirSync(installed, { recursive: true });
    for (const name of readdirSync(project('node_modules'))) {
      if (name !== '.package-lock.json')
        symlinkSync(project(`node_modules/${name}`), join(folder, 'node_modules', name));
    }
    const exports = { '.': './dist/index.js', './*': './dist/*.js' };
    writeFileSync(
      join(installed, 'package.json'),
      JSON.stringify({ name: 'express-apl-session', type: 'module', exports }),
    );
    const tsc = project('node_modules/typescript/bin/tsc');
    const esm = ['--module', 'NodeNext', '--moduleResolution', 'NodeNext', '--verbatimModuleSyntax', 'true'];
    const build = [tsc, '-p', project('tsconfig.build.json'), '--outDir', join(installed, 'dist'), ...esm];
    execFileSync(process.execPath, build);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      // a test of node:test that runs in another one reports to it, and not to standard output
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: '' },
      encoding: 'utf8',
    });
    expect(status, `${stdout}${stderr}`).to.equal(0);
    return stdout;
  };
  const titles = (file: string): number => all(/^ {2}it\('/gm, readFileSync(join(folder, file), 'utf8')).length;

  it('mocha', () => {
    const mocha = join(folder, 'node_modules/mocha/bin/mocha.js');
    expect(run(mocha, '--no-config', 'mocha/app.test.mjs')).to.include(`${titles('mocha/app.test.mjs')} passing`);
    expect(run(mocha, '--no-config', 'mocha/store.test.mjs')).to.include('✔ an unknown session is empty');
  });

  it('node:test', () => {
    const app = run('--test', '--test-reporter=tap', 'node-test/app.test.mjs');
    expect(app)
      .to.include(`# pass ${titles('node-test/app.test.mjs')}\n`)
      .and.to.include('# fail 0\n');
    expect(run('--test', '--test-reporter=tap', 'node-test/store.test.mjs')).to.match(
      /ok \d+ - an unknown session is empty/,
    );
  });
});
