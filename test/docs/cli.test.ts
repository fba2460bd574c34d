import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { seedSession } from '../../lib/testing.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { runCli } from '../cli/run-cli.js';
import { all, ROOT, read } from '../support/documents.js';
import { eventually } from '../support/eventually.js';
import { VALKEY_RIGHTS } from '../support/group-security.js';
import { describeWithSecureValkey, PASSWORD, USERNAME } from '../support/secure-valkey.js';

const DOCUMENT = 'docs/cli.md';
const MINUTE_MS = 60_000;
const COMMANDS = ['doctor', 'inspect', 'explain', 'quarantine', 'capacity'];
const PATIENT = ['--connect-timeout-ms', '10000', '--command-timeout-ms', '10000'];

interface Block {
  readonly command: string;
  readonly output: string;
}

const blocks: readonly Block[] = all(/^```console\n\$ ([^\n]+)\n(.*?)^```$/gms, read(DOCUMENT)).map(
  ([, command = '', output = '']) => ({ command, output }),
);

/** UPDATE_CLI_DOCS=1 writes the outputs again. */
const isUpdate = process.env['UPDATE_CLI_DOCS'] === '1';

describeWithSecureValkey(`${DOCUMENT}, run from top to bottom`, (server) => {
  let dir: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'apl-cli-'));
    const { authority, client } = server();
    const files = { 'ca.pem': authority.cert, 'app.pem': client.cert, 'app.key': client.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    await server().grant(...VALKEY_RIGHTS);
    await server().plain.flush();
    const store = new ValkeySessionStore({ endpoint: server().plain.url, ttlSeconds: 86_400, connectTimeoutMs: 5_000 });
    await seedSession(store, { subject: 'alice', sessionId: 'chat-1' }, ['secret', 'PII']);
    await store.close();
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  for (const { command, output } of blocks) {
    it(command.slice(0, 70), async function () {
      this.timeout(MINUTE_MS);
      const [, , ...words] = command.split(' ');
      const isSecure = command.includes('valkey.internal');
      if (isSecure) await beAsDescribed();
      const { plain, endpoint } = server();
      const args = words.map((word) => (/\.(pem|key)$/.test(word) ? join(dir, word) : word));
      const addressed = args.map((arg) =>
        arg.replace('localhost:6379', `localhost:${plain.port}`).replace('valkey.internal:6380', endpoint),
      );
      const env = { VALKEY_USERNAME: USERNAME, VALKEY_PASSWORD: PASSWORD };
      const patience = words[0] === 'doctor' ? PATIENT : [];
      const run = await runCli([...addressed, ...patience], isSecure ? { env } : {});
      const printed = run.stdout
        .replaceAll(`localhost:${plain.port}`, 'localhost:6379')
        .replaceAll(endpoint, 'valkey.internal:6380');
      if (isUpdate) return update(command, output, printed);
      expect(masked(printed)).to.equal(masked(output));
      expect(run.stderr).to.equal('');
    });
  }

  /** What docs/operations.md does to a server. */
  async function beAsDescribed(): Promise<void> {
    const { admin } = server().plain;
    await admin.call('CONFIG', 'SET', 'maxmemory', '256mb', 'appendonly', 'yes', 'appendfsync', 'always');
    await eventually(async () => expect(await admin.info('persistence')).to.include('aof_rewrite_in_progress:0'));
  }
});

describe(DOCUMENT, () => {
  it('each command of the program has a heading, and each variable a row', () => {
    const headings = all(/^## (\w+)$/gm, read(DOCUMENT)).map(([, heading]) => heading);
    const commands = all(/new Command\('(\w+)'\)/g, COMMANDS.map(sourceOf).join('\n'));
    for (const [, command] of commands) expect(headings).to.include(command);
    for (const name of ['VALKEY_USERNAME', 'VALKEY_PASSWORD', 'SENTINEL_USERNAME', 'SENTINEL_PASSWORD']) {
      expect(read(DOCUMENT)).to.match(new RegExp(`^\\| .*\`${name}\``, 'm'));
    }
  });

  it('names every option of the commands', () => {
    const files = [...[...COMMANDS, 'session-flags'].map(sourceOf), read('lib/cli/target/target-flags.ts')];
    const options = all(/(?:\.option|new Option)\(\s*'(--[\w-]+)/g, files.join('\n')).map(([, option]) => option);
    expect(options.length).to.be.above(20);
    for (const option of options) expect(read(DOCUMENT)).to.include(option);
  });
});

function sourceOf(command: string): string {
  return read(`lib/cli/commands/${command}.ts`);
}

/** Without what differs from run to run: numbers, and the widths of columns. */
function masked(text: string): string {
  return text
    .replace(/"node": "[^"]+"/g, '"node": "NODE"')
    .replace(/(Z +)(.*?\S+:\d+)$/gm, '$1NODE')
    .replace(/[\d.,]*\d/g, 'N')
    .replace(/ {2,}/g, ' ');
}

function update(command: string, output: string, printed: string): void {
  const path = new URL(DOCUMENT, ROOT);
  const text = read(DOCUMENT).replace(`$ ${command}\n${output}`, () => `$ ${command}\n${printed}`);
  writeFileSync(path, text);
}
