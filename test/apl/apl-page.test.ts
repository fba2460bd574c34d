import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compileChain, compileDocument, compilePredicate, compileSection, KNOWN_ATTRIBUTES } from '../../lib/apl.js';
import { compilerFaults } from '../support/compiler.js';
import { all, ROOT, read } from '../support/documents.js';

const page = read('docs/apl.md');

/** The rows of the tables below a heading whose first column has this name. Code spans lose their quotes. */
function rowsOf(heading: string, firstColumn: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [, table = ''] = section.split(`| ${firstColumn} |`);
  const [, , ...lines] = table.split('\n\n')[0]?.split('\n') ?? [];
  return lines.map((line) => {
    const cells = line.slice(1, -1).split(/(?<!\\)\|/);
    return cells.map((cell) =>
      cell
        .trim()
        .replaceAll('\\|', '|')
        .replace(/^`(.*)`$/, '$1'),
    );
  });
}

function blockOf(heading: string, language: string): string {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return all(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'), section)[0]?.[1] ?? '';
}

describe('docs/apl.md', () => {
  it('its rules decide as the table says', () => {
    const { evaluate } = compileSection(blockOf('Rules', 'yaml'), { strict: true });
    const rows = rowsOf('Rules', 'Attributes');
    expect(rows).to.have.length(6);
    for (const [attributes = '', decision, code, taints = ''] of rows) {
      const made = evaluate(JSON.parse(attributes));
      expect([made.decision, made.code ?? '', made.taints], attributes).to.deep.equal([
        decision,
        code,
        JSON.parse(taints),
      ]);
    }
  });

  it('its document decides as the table says', () => {
    const policies = compileDocument(blockOf('Documents', 'yaml'));
    const rows = rowsOf('Documents', 'Route');
    expect(rows).to.have.length(7);
    for (const [route = '', attributes = '', decision, code, taints = ''] of rows) {
      const made = policies.sectionFor('tool', route.replace('tool:', '')).evaluate(JSON.parse(attributes));
      expect([made.decision, made.code ?? '', made.taints], attributes).to.deep.equal([
        decision,
        code,
        JSON.parse(taints),
      ]);
    }
  });

  it('its predicates have the values of the table', () => {
    const rows = rowsOf('Predicates', 'Predicate');
    expect(rows.length).to.be.greaterThan(10);
    for (const [predicate = '', attributes = '', value] of rows) {
      const isTrue = compilePredicate(predicate)(JSON.parse(attributes));
      expect(String(isTrue), predicate).to.equal(value);
    }
  });

  it('its chains have the outcomes of the table', () => {
    const rows = rowsOf('Chains for fields', 'Chain');
    expect(rows.length).to.be.greaterThan(10);
    for (const [chain = '', value = '', outcome = ''] of rows) {
      expect(compileChain(chain).apply(JSON.parse(value)), chain).to.deep.equal(JSON.parse(outcome));
    }
  });

  it('its table of attributes has all that rules may read', () => {
    const names = rowsOf('Attributes', 'Attribute').flatMap(([cell = '']) => cell.split(/[`, ]+/).filter(Boolean));
    expect(names).to.have.members(KNOWN_ATTRIBUTES);
  });

  const strict = 'What is stricter than in CPEX';
  const refused: ReadonlyArray<readonly [heading: string, column: string, compile: (text: string) => unknown]> = [
    [strict, 'Section', (text) => compileSection(text, { strict: true })],
    [strict, 'Document', (text) => compileDocument(text)],
    ['What is not supported', 'Section', (text) => compileSection(text)],
  ];
  for (const [heading, column, compile] of refused) {
    it(`the rows of "${heading}" (${column}) are refused`, () => {
      const rows = rowsOf(heading, column);
      expect(rows.length).to.be.greaterThan(5);
      for (const [text = ''] of rows) {
        expect(() => compile(text), text)
          .to.throw()
          .with.property('code', 'policy.invalid_document');
      }
    });
  }

  it('its programs compile, and print what follows them', function () {
    this.timeout(60_000);
    const programs = all(/^```ts\n(.*?)^```\n\n```text\n(.*?)^```/gms, page);
    expect(programs).to.have.length(3);
    expect(all(/^```ts$/gm, page)).to.have.length(programs.length);
    for (const [, code = '', output] of programs) {
      expect(compilerFaults(code)).to.equal('');
      const source = code.replace("'express-apl-session/apl'", "'./lib/apl.ts'");
      const args = ['--import', 'tsx', '--input-type=module', '--eval', source];
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: fileURLToPath(ROOT), encoding: 'utf8' });
      expect(stderr + stdout).to.equal(output);
    }
  });
});
