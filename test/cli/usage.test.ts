import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { runCli as runInside } from '../../lib/cli/program.js';
import type { Terminal } from '../../lib/cli/terminal/terminal.js';
import { deferred } from '../support/deferred.js';
import { type CliRun, runCli } from './run-cli.js';

const MINUTE_MS = 60_000;

describe('calls of the command line', () => {
  const wrong: ReadonlyArray<readonly [what: string, args: readonly string[], message: RegExp]> = [
    ['a URL with a password', ['doctor', 'rediss://labels:hunter2@v.internal'], /contains a login.*VALKEY_PASSWORD/],
    ['a URL with a user name', ['doctor', 'rediss://hunter2@v.internal'], /contains a login/],
    ['a Sentinel with a password', ['doctor', '--sentinels', 'a:1,redis://:hunter2@b:1'], /contains a login/],
    ['a node with a password', ['doctor', '--nodes', 'redis://:hunter2@b:1'], /contains a login/],
    ['a password option', ['doctor', 'localhost', '--password', 'hunter2'], /^error: Credentials cannot be arguments/],
    ['a password option with =', ['doctor', 'localhost', '--pass=hunter2'], /^error: Credentials cannot be arguments/],
    ['a misspelt option with a value', ['doctor', 'localhost', '--pasword=hunter2'], /unknown option '--pasword'/],
    ['a second argument', ['doctor', 'localhost', 'hunter2'], /too many arguments/],
    ['a misspelt option', ['doctor', 'localhost', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    ['a misspelt command', ['docter'], /unknown command 'docter'\n\(Did you mean doctor\?\)/],
    ['no endpoint', ['doctor'], /Give one of: an endpoint, --sentinels with --name, or --nodes/],
    ['an endpoint and nodes', ['doctor', 'localhost', '--nodes', 'localhost'], /Give one of/],
    ['Sentinels without a name', ['doctor', '--sentinels', 'localhost'], /'sentinels' need a 'name'/],
    ['another machine without TLS', ['doctor', 'v.internal:6379'], /needs TLS.*\(config\.invalid\)/],
    ['redis:// with TLS', ['doctor', 'redis://localhost', '--tls'], /contradicts tls/],
    ['a file that is not there', ['doctor', 'localhost', '--tls-ca', '/nowhere'], /--tls-ca cannot be read \(ENOENT\)/],
    ['fenced reads without replicas', ['doctor', 'localhost', '--fenced-reads'], /'fencedReads' needs 'replicas'/],
    ['a number that is none', ['doctor', 'localhost', '--command-timeout-ms', '5s'], /Give a positive integer/],
    [
      'a prompt without a terminal',
      ['doctor', 'localhost', '--password-prompt'],
      /needs a terminal. Set VALKEY_PASSWORD/,
    ],
  ];
  for (const [what, args, message] of wrong) {
    it(`${what} ends with 3, the fix, and without the value`, async () => {
      const run = await runHere(args);
      expect(run).to.include({ code: 3, stdout: '' });
      expect(run.stderr).to.match(message);
      expect(run.stderr).to.not.include('hunter2');
    });
  }

  it('a user name without a password ends with 3, and names the variable', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli(['doctor', 'localhost'], { env: { VALKEY_USERNAME: 'hunter2' } });
    expect(run.code).to.equal(3);
    expect(run.stderr).to.include('Set VALKEY_PASSWORD too, or use --password-prompt.');
  });

  it('a password in a URL ends a process with 3, and is not printed', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli(['doctor', 'rediss://:hunter2@v.internal']);
    expect(run).to.include({ code: 3, stdout: '' });
    expect(run.stderr).to.include('contains a login').and.to.not.include('hunter2');
  });

  it('Ctrl-C ends a command that waits for a server', async function () {
    this.timeout(MINUTE_MS);
    const started = deferred<number>();
    // accepts connections, and answers nothing
    const silent = createServer(async (socket) => {
      socket.on('error', () => {});
      process.kill(await started.promise, 'SIGINT');
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const run = await runCli(['doctor', `127.0.0.1:${port}`], { onStart: started.resolve });
    silent.close();
    expect(run).to.deep.equal({ code: null, signal: 'SIGINT', stdout: '', stderr: '' });
  });

  it('no command prints the help and ends with 3', async function () {
    this.timeout(MINUTE_MS);
    const run = await runCli([]);
    expect(run).to.include({ code: 3, stdout: '' });
    expect(run.stderr)
      .to.match(/^Usage: express-apl-session/)
      .and.to.not.include('error');
  });

  it('--help and --version end with 0', async function () {
    this.timeout(MINUTE_MS);
    const help = await runCli(['doctor', '--help']);
    expect(help).to.include({ code: 0, stderr: '' });
    expect(help.stdout).to.include('VALKEY_PASSWORD');
    const version = await runCli(['--version']);
    expect(version).to.deep.equal({ code: 0, stderr: '', stdout: '0.1.0\n' });
  });
});

/** A call in this process: it must end before it opens a connection. */
async function runHere(args: readonly string[]): Promise<CliRun> {
  const streams = { out: new PassThrough(), err: new PassThrough(), input: new PassThrough() };
  const terminal = { ...streams, env: {} } as unknown as Terminal;
  const code = await runInside(args, terminal, () => new AbortController().signal);
  return { code, stdout: String(streams.out.read() ?? ''), stderr: String(streams.err.read() ?? '') };
}
