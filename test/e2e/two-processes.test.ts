import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { describeWithDedicatedValkey } from '../support/valkey.js';
import { type Answer, AppProcess } from './app-process.js';

const REFUSED = { status: 403, code: 'session_tainted' };
const LOAD_FAILED = { status: 403, code: 'session.load_failed' };

function short({ status, body }: Answer): { status: number; code?: unknown } {
  const { code } = body as { code?: unknown };
  return code === undefined ? { status } : { status, code };
}

describeWithDedicatedValkey('two processes on one Valkey', (server) => {
  let first: AppProcess;
  let second: AppProcess;

  const startBoth = async (): Promise<void> => {
    const env = { VALKEY_ENDPOINT: server().url, NODE_ENV: 'production' };
    [first, second] = await Promise.all([AppProcess.start(env), AppProcess.start(env)]);
  };
  const killBoth = (): Promise<unknown> => Promise.all([first?.kill(), second?.kill()]);
  const fromBoth = async (...request: Parameters<AppProcess['request']>): Promise<unknown> =>
    Promise.all([first, second].map(async (app) => short(await app.request(...request))));
  const expectSessionlessToWork = async (): Promise<void> => {
    expect(await fromBoth('GET', '/clean')).to.deep.equal([{ status: 200 }, { status: 200 }]);
    expect(await fromBoth('POST', '/email')).to.deep.equal([{ status: 200 }, { status: 200 }]);
    expect(await fromBoth('GET', '/compensation')).to.deep.equal([{ status: 200 }, { status: 200 }]);
  };

  before('starts both processes', async function () {
    this.timeout(30_000);
    await startBoth();
  });
  after('kills both processes', killBoth);
  beforeEach(() => server().flush());

  it('G4: a label of the first process denies at once in the second', async () => {
    expect(await fromBoth('POST', '/email', 's')).to.deep.equal([{ status: 200 }, { status: 200 }]);
    expect(short(await first.request('GET', '/compensation', 's'))).to.deep.equal({ status: 200 });
    expect(short(await second.request('POST', '/email', 's'))).to.deep.equal(REFUSED);
    expect(short(await first.request('POST', '/email', 's'))).to.deep.equal(REFUSED);
  });

  it('G6: another session of the same subject is served', async () => {
    await first.request('GET', '/compensation', 's');
    expect(short(await second.request('POST', '/email', 'other'))).to.deep.equal({ status: 200 });
  });

  it('G1: labels that a handler adds are stored when its response arrives', async () => {
    expect((await first.request('GET', '/notes', 'notes')).status).to.equal(200);
    const [key = expect.fail('no key was written')] = await server().admin.keys('taint:v1:*');
    expect(await server().admin.smembers(key)).to.deep.equal(['PII']);
  });

  it('G5: labels outlive both processes', async function () {
    this.timeout(30_000);
    await first.request('GET', '/compensation', 's');
    await killBoth();
    await startBoth();
    expect(await fromBoth('POST', '/email', 's')).to.deep.equal([REFUSED, REFUSED]);
    expect(await fromBoth('POST', '/email', 'other')).to.deep.equal([{ status: 200 }, { status: 200 }]);
  });

  it('G2: while Valkey hangs both answer 403, and recover without a restart', async function () {
    this.timeout(30_000);
    await first.request('GET', '/compensation', 's');
    await fromBoth('GET', '/clean', 's');
    await server().stop();
    try {
      for (const [method, path] of [
        ['GET', '/clean'],
        ['GET', '/compensation'],
        ['GET', '/notes'],
        ['POST', '/email'],
      ] as const) {
        expect(await fromBoth(method, path, 's'), path).to.deep.equal([LOAD_FAILED, LOAD_FAILED]);
      }
      await expectSessionlessToWork();
    } finally {
      await server().cont();
    }
    await eventually(
      async () => expect(await fromBoth('GET', '/clean', 's')).to.deep.equal([{ status: 200 }, { status: 200 }]),
      { withinMs: 10_000 },
    );
    expect(await fromBoth('POST', '/email', 's')).to.deep.equal([REFUSED, REFUSED]);
  });

  it('G2: when Valkey is killed both answer 403, and find its successor', async function () {
    this.timeout(30_000);
    await fromBoth('GET', '/clean', 's');
    await server().kill();
    for (const [method, path] of [
      ['GET', '/clean'],
      ['POST', '/email'],
    ] as const) {
      expect(await fromBoth(method, path, 's'), path).to.deep.equal([LOAD_FAILED, LOAD_FAILED]);
    }
    await expectSessionlessToWork();
    await server().restart();
    await eventually(
      async () => expect(await fromBoth('GET', '/clean', 's')).to.deep.equal([{ status: 200 }, { status: 200 }]),
      { withinMs: 10_000 },
    );
  });

  it('G6: requests without a session send no command to Valkey', async () => {
    expect(await server().countCommands(expectSessionlessToWork)).to.deep.equal({});
  });
});
