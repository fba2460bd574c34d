import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { checkProgram, readmeProgram } from '../package/newcomer/readme-program.js';
import { compilerFaults } from '../support/compiler.js';
import { all, only, ROOT, read, snippetsOf } from '../support/documents.js';

const readme = read('README.md');
const root = fileURLToPath(ROOT);

describe('the first screen of the README', function () {
  this.timeout(60_000);
  const { esm, commonjs, testable, test, calls } = readmeProgram(readme);

  // an app of a new user, but the package is lib/; test/package/newcomer-readme.ts does the same with the packed package
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'express-apl-session-readme-'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const paths = { 'express-apl-session': [`${root}lib/index.ts`], 'express-apl-session/*': [`${root}lib/*.ts`] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('has three calls: mail, salaries, and a mail that is refused', () => {
    expect(calls.map(({ prints }) => prints)).to.have.length(3);
    expect(calls[2]?.prints).to.include('"code":"session_tainted"');
  });

  for (const [file, program] of [
    ['app.mjs', esm],
    ['app.cjs', commonjs],
  ] as const) {
    it(`${file}: the calls print what the README shows`, () =>
      checkProgram(folder, file, program, calls, { nodeArguments: ['--import', 'tsx'] }));
  }

  it('the test for supertest passes', () => {
    writeFileSync(join(folder, 'app.mjs'), testable);
    writeFileSync(join(folder, 'app.test.mjs'), test);
    const options = { cwd: folder, encoding: 'utf8' } as const;
    const printed = execFileSync(process.execPath, ['--import', 'tsx', '--test', 'app.test.mjs'], options);
    expect(printed).to.match(/pass 1$/m);
  });

  it('the program is valid TypeScript, and so are the options for Valkey', () => {
    expect(compilerFaults(esm)).to.equal('');
    const options = only(/^## Store the labels in Valkey\n.*?^```js\n(.*?)^```/ms, readme);
    const mount = 'aplSessionMiddleware({ session: () => undefined, ...sharedLabels });';
    const main = "import { aplSessionMiddleware } from 'express-apl-session';";
    expect(compilerFaults([main, options, mount].join('\n'))).to.equal('');
  });
});

describe('what a new user reads', () => {
  it('every program that mounts the middleware refuses requests without a session', () => {
    const documents = ['README.md', ...readdirSync(new URL('docs/', ROOT)).map((name) => `docs/${name}`)];
    const programs = documents
      .filter((document) => document.endsWith('.md'))
      // its first step refuses nothing, and says so
      .filter((document) => document !== 'docs/adopting.md')
      .flatMap((document) => snippetsOf(document).map(({ code }) => ({ document, code })))
      .concat({ document: 'README.md', code: readmeProgram(readme).esm })
      .filter(({ code }) => /^app\.use\((.*|\n.*)aplSessionMiddleware\(/m.test(code));
    expect(programs.length).to.be.greaterThan(6);
    for (const { document, code } of programs) {
      expect(code, document).to.match(/sessionless: 'deny'|app\.use\(.*requireSession\(\)/);
    }
  });

  it('the README explains CPEX and APL where it names them first, and links the glossary', () => {
    const text = readme.replace(/^```.*?^```$/gms, '');
    expect(text.slice(text.indexOf('CPEX'))).to.match(/^CPEX, a policy engine for AI gateways/);
    expect(text.slice(text.search(/\bAPL\b/))).to.match(/^APL is the policy language of CPEX/);
    expect(readme).to.include('](docs/glossary.md)');
  });

  it('the glossary explains each term once, in alphabetical order', () => {
    const terms = all(/^\| (?!Term|-)(.*?) \| .+ \|$/gm, read('docs/glossary.md')).map(([, term = '']) => term);
    expect(terms).to.deep.equal([...terms].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)));
    expect(new Set(terms).size).to.equal(terms.length);
    expect(terms).to.include.members([
      ...['acknowledged', 'alarm', 'APL', 'CPEX', 'denial', 'gate', 'hold', 'label', 'owed', 'session id', 'subject'],
      ...['taint', 'tier', 'violation', 'write-ahead'],
    ]);
  });

  it('the examples import the package by its name', () => {
    const files = readdirSync(new URL('examples/', ROOT), { recursive: true, encoding: 'utf8' });
    const sources = files.filter((name) => name.endsWith('.ts'));
    expect(sources).to.not.be.empty;
    for (const source of sources) expect(read(`examples/${source}`), source).to.not.match(/from '\.\.\/\.\./);
  });
});

describe('diagrams', () => {
  // the pictures of other documents are not diagrams
  const images = readdirSync(new URL('docs/images/', ROOT)).filter((name) => name.endsWith('.svg'));

  it('the README shows each of them with a text for readers who do not see it', () => {
    const shown = all(/^!\[(.{40,})\]\(docs\/images\/(.*)\)$/gm, readme).map(([, , image]) => image);
    expect(shown).to.have.members(images).and.to.have.length(3);
  });

  for (const image of images) {
    it(`${image} is well-formed, has a title and a description, and colors for dark mode`, () => {
      const svg = read(`docs/images/${image}`);
      expect(unclosedTags(svg)).to.deep.equal([]);
      expect(svg).to.match(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/);
      expect(svg)
        .to.match(/<title id="title">.+<\/title>/)
        .and.to.match(/<desc id="desc">.{80,}<\/desc>/);
      expect(svg).to.include('aria-labelledby="title desc"').and.to.include('prefers-color-scheme: dark');
      // an image in a page loads nothing and runs nothing
      expect(svg).to.not.match(/<script|<image|href=|@import/);
    });
  }
});

describe('the packed package', function () {
  this.timeout(60_000);
  const packed = new Set<string>();
  before(() => {
    const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
    const [{ files }] = JSON.parse(String(listed)) as [{ files: ReadonlyArray<{ path: string }> }];
    for (const { path } of files) packed.add(path);
  });

  it('contains the documents, the diagrams, the examples and docker-compose.yml', () => {
    const expected = ['README.md', 'docs/images/one-request.svg', 'examples/mcp/main.ts', 'docker-compose.yml'];
    expect([...packed]).to.include.members(expected);
  });

  it('has no link to a file or a heading that it does not contain', () => {
    const dead: string[] = [];
    let links = 0;
    for (const document of [...packed].filter((path) => path.endsWith('.md'))) {
      for (const [, target = ''] of all(/\]\((?!https?:|mailto:)([^)\s]+)\)/g, read(document))) {
        const [path = '', heading] = target.split('#');
        const file = path === '' ? document : posix.join(posix.dirname(document), path);
        links += 1;
        if (!packed.has(file)) dead.push(`${document}: ${target}`);
        else if (heading !== undefined && !headingIds(file).has(heading)) dead.push(`${document}: ${target}`);
      }
    }
    expect(dead).to.deep.equal([]);
    expect(links).to.be.greaterThan(50);
  });
});

/** The ids that GitHub and npm give to the headings of a document. */
function headingIds(document: string): Set<string> {
  const headings = all(/^#+ (.*)$/gm, read(document).replace(/^```.*?^```$/gms, ''));
  return new Set(
    headings.map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** The tags of an XML text that are not closed, or closed in the wrong order; and characters that must be escaped. */
function unclosedTags(xml: string): string[] {
  const faults: string[] = [];
  const open: string[] = [];
  let rest = xml;
  for (const [tag, close, name = '', single] of all(
    /<(\/?)([a-z]+)(?: [\w-]+="[^"<]*")*(?: [\w:-]+="[^"<]*")*(\/?)>/gi,
    xml,
  )) {
    rest = rest.replace(tag, '');
    if (close) {
      if (open.pop() !== name) faults.push(tag);
    } else if (!single) open.push(name);
  }
  return [...faults, ...open, ...all(/[<>]|&(?!amp;|lt;|gt;|quot;)/g, rest).map(([character]) => character)];
}
