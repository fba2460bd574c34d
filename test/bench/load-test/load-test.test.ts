import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { all, read } from '../../support/documents.js';
import { describeWithValkey } from '../../support/valkey.js';

const PROGRAM = fileURLToPath(new URL('run.ts', import.meta.url));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function loadTest(valkeyUrl: string, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args], {
    env: { ...process.env, VALKEY_URL: valkeyUrl },
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

const rowsOf = (table: string): ReadonlyMap<string, string> =>
  new Map(all(/^\| (\w.*?) \| (.*) \|$/gm, table).map(([, name = '', value = '']) => [name, value]));

describeWithValkey('npm run load-test', (server) => {
  it('counts requests, denials and times on a real Valkey', async function () {
    this.timeout(60_000);
    const { code, stdout } = await loadTest(server().url, ...'--seconds 1 --rate 100 --tainting 1'.split(' '));
    expect(code).to.equal(0);
    const rows = rowsOf(stdout);
    expect(rows.get('Requests')).to.match(/^100, /);
    // each of the ten sessions reads a salary, so none of the ten mails is sent
    expect(rows.get('Answers')).to.equal('200: 90, 403: 10');
    expect(rows.get('Failed loads and appends')).to.equal('0');
    expect(rows.get('Load')).to.match(/^[\d.]+ ms, [\d.]+ ms \(100\)$/);
    expect(rows.get('Append')).to.match(/ \(10\)$/);
    expect(rows.get('CPU of the process')).to.match(/^\d+ % of a core$/);
  });

  it('without a tainting session no mail is refused', async function () {
    this.timeout(60_000);
    const { stdout } = await loadTest(server().url, ...'--seconds 1 --rate 50 --tainting 0'.split(' '));
    expect(rowsOf(stdout).get('Answers')).to.equal('200: 50, 403: 0');
    expect(rowsOf(stdout).get('Append')).to.equal('none');
  });
});

describe('npm run load-test, its calls', () => {
  it('a wrong call names VALKEY_URL or the options', async function () {
    this.timeout(60_000);
    const missing = await loadTest('');
    expect(missing.code).to.equal(3);
    expect(missing.stderr).to.include('VALKEY_URL is not set.');
    const wrong = await loadTest('redis://127.0.0.1:1', '--tainting', '20');
    expect(wrong.code).to.equal(3);
    expect(wrong.stderr).to.include('from 0 to 1');
  });

  it('docs/operations.md has a table with the rows that it prints', () => {
    const section = read('docs/operations.md').split('\n## Load test\n')[1]?.split('\n## ')[0] ?? '';
    const program = read('test/bench/load-test/step-times.ts').split("'|---|---|'")[0] ?? '';
    const names = all(/^ {4}\[(?:\n {6})?'([A-Z][^']*)'/gm, program).map(([, name]) => name);
    expect(names).to.have.length(9);
    expect([...rowsOf(section).keys()]).to.deep.equal(names);
  });
});
