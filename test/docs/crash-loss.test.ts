import { expect } from 'chai';
import express, { type Express } from 'express';
import request from 'supertest';
import { aplSessionMiddleware, denyIf, type SessionStore } from '../../lib/index.js';
import { ValkeySessionStore } from '../../lib/valkey.js';
import { all, read } from '../support/documents.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../support/valkey-group.js';

const SETTINGS = [
  { appendonly: 'yes', appendfsync: 'always', lost: 'none' },
  { appendonly: 'yes', appendfsync: 'everysec', lost: 'none' },
  { appendonly: 'yes', appendfsync: 'no', lost: 'none' },
  { appendonly: 'no', appendfsync: 'everysec', lost: 'all' },
] as const;
const WRITERS = 5;
const KILL_AFTER = 100;
const PATIENT = { connectTimeoutMs: 5_000, commandTimeoutMs: 5_000 };

/** The sessions of which an append was acknowledged by a server that is killed under way. */
async function acknowledgedBeforeKill(server: ValkeyNode): Promise<string[]> {
  const store = new ValkeySessionStore({ endpoint: server.url, connectTimeoutMs: 2_000, retry: false });
  const acknowledged: string[] = [];
  let killing: Promise<void> | undefined;
  const appendUntilRefused = async (writer: number): Promise<void> => {
    for (let index = 0; ; index += 1) {
      const session = `session-${writer}-${index}`;
      const done = await store.appendLabels(session, ['secret']).then(
        () => true,
        () => false,
      );
      if (!done) return;
      acknowledged.push(session);
      if (acknowledged.length >= KILL_AFTER) killing ??= server.kill();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => appendUntilRefused(writer)));
  await killing;
  await store.close();
  return acknowledged;
}

function mailApp(store: SessionStore): Express {
  const app = express();
  app.use(aplSessionMiddleware({ session: (req) => req.get('x-session'), store, logger: { warn() {}, error() {} } }));
  app.post(
    '/email',
    denyIf('secret', { code: 'session_tainted', reason: 'session touched secret data' }),
    (_req, res) => {
      res.sendStatus(202);
    },
  );
  return app;
}

describeWithValkeyGroup('what a crash of Valkey loses (SIGKILL, then a restart)', SETTINGS.length, (group) => {
  for (const { appendonly, appendfsync, lost } of SETTINGS) {
    it(`appendonly ${appendonly}, appendfsync ${appendfsync}: loses ${lost}`, async function () {
      this.timeout(30_000);
      const args = ['--save', '', '--appendonly', appendonly, '--appendfsync', appendfsync];
      const server = await group().start(...args);
      const acknowledged = await acknowledgedBeforeKill(server);
      expect(acknowledged.length).to.be.at.least(KILL_AFTER);
      await server.restart();

      const store = new ValkeySessionStore({ endpoint: server.url, ...PATIENT });
      const loads = await Promise.all(acknowledged.map((session) => store.loadLabels(session)));
      const empty = loads.filter((labels) => labels.length === 0);
      expect(empty).to.have.length(lost === 'all' ? acknowledged.length : 0);

      // the store cannot tell a session that was lost from one that was never tainted
      const [session = ''] = acknowledged;
      await request(mailApp(store))
        .post('/email')
        .set('X-Session', session)
        .expect(lost === 'all' ? 202 : 403);
      await store.close();

      const name = appendonly === 'no' ? '`no`' : `\`yes\`, \`${appendfsync}\``;
      const rows = all(/^\| (`.*?`) \| (\w+) \|/gm, read('docs/operations.md'));
      expect(rows.find(([, setting]) => setting === name)?.[2]).to.equal(lost);
    });
  }
});
