import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { describeWithDedicatedValkey } from '../support/valkey.js';
import { runCli, runCliInTerminal, SCRIPT } from './run-cli.js';

const MINUTE_MS = 60_000;
const PASSWORD = 'typed-and-not-shown';
const CTRL_C = '\u0003';
const COLOUR = '\u001b[';

describeWithDedicatedValkey('command line in a terminal', (server) => {
  before('needs script(1) for a terminal', async function () {
    if (!existsSync(SCRIPT)) return this.skip();
    await server().admin.call('ACL', 'SETUSER', 'typist', 'reset', 'on', `>${PASSWORD}`, '~taint:v1:*', '+@all');
  });

  it('--password-prompt logs in, and does not echo what is typed', async function () {
    this.timeout(MINUTE_MS);
    const typing = { prompt: 'Password of Valkey: ', typed: `${PASSWORD}\r` };
    const args = ['inspect', server().url, '--session', 's', '--password-prompt'];
    const run = await runCliInTerminal(args, { env: { VALKEY_USERNAME: 'typist' } }, typing);
    expect(run.code).to.equal(0);
    expect(run.stdout)
      .to.match(/^Password of Valkey: \r\n {2}/)
      .and.to.include('the server has no such session');
  });

  it('Ctrl-C at the prompt ends with 130', async function () {
    this.timeout(MINUTE_MS);
    const typing = { prompt: 'Password of Valkey: ', typed: CTRL_C };
    const run = await runCliInTerminal(['doctor', server().url, '--password-prompt'], {}, typing);
    expect(run.code).to.equal(130);
  });

  it('colours are for a terminal, and not if NO_COLOR is set', async function () {
    this.timeout(MINUTE_MS);
    const args = ['doctor', server().url];
    expect((await runCliInTerminal(args)).stdout).to.include(`${COLOUR}32mok`);
    expect((await runCliInTerminal(args, { env: { NO_COLOR: '1' } })).stdout).to.not.include(COLOUR);
    expect((await runCli(args, { env: { NO_COLOR: '' } })).stdout).to.not.include(COLOUR);
  });

  it('capacity shows a progress bar, and Ctrl-C removes the keys', async function () {
    this.timeout(MINUTE_MS);
    const args = ['capacity', server().url, '--keys', '2000'];
    const whole = await runCliInTerminal(args);
    expect(whole.stdout)
      .to.match(/\r\[#+\.*\] \d+ %/)
      .and.to.include('] 100 %');
    const typing = { prompt: ' %', typed: CTRL_C };
    const stopped = await runCliInTerminal([...args.slice(0, 3), '10000000'], {}, typing);
    expect(stopped.code).to.equal(130);
    expect(await server().admin.dbsize()).to.equal(0);
  });
});
