import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Express, Request } from 'express';
import { type JWTPayload, SignJWT } from 'jose';
import passport, { Strategy } from 'passport';
import request from 'supertest';
import { ROOT, snippetsOf } from '../support/documents.js';
import { type Given, sessionFor } from '../support/resolve-session.js';

const path = (relative: string): string => fileURLToPath(new URL(relative, ROOT));
const SECRET = 'a secret of the tests, long enough for HS256';
const AUDIENCE = ['https://api.example', 'https://mcp.example'];

function bearer(claims: JWTPayload, secret = SECRET): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 86_400;
  const jwt = new SignJWT({ aud: AUDIENCE, iss: 'https://issuer.example', exp, ...claims });
  return jwt.setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
}

const session = (given: Given, keying?: 'strict'): object => ({ ...sessionFor(given, keying) });

/** Each snippet is a module of its own, as in the app of a reader, with the package where the sources are. */
describe('docs/identity.md', function () {
  this.timeout(60_000);
  const snippets = snippetsOf('docs/identity.md');
  const headings = snippets.map(({ heading }) => heading);
  let folder: string;
  const file = (heading: string): string => join(folder, heading.replaceAll(/\W+/g, '-'), 'app.ts');
  const environment = { JWT_SECRET: SECRET, SESSION_SECRET: SECRET };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'express-apl-session-snippets-'));
    await symlink(path('node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    const config = {
      extends: path('tsconfig.json'),
      compilerOptions: { types: ['node'], skipLibCheck: true, noPropertyAccessFromIndexSignature: false },
      files: ['app.ts'],
      include: [],
    };
    for (const { heading, code } of snippets) {
      await mkdir(join(file(heading), '..'));
      await writeFile(file(heading), code.replaceAll("'express-apl-session'", `'${path('lib/index.js')}'`));
      await writeFile(join(file(heading), '../tsconfig.json'), JSON.stringify(config));
    }
    Object.assign(process.env, environment);
  });
  after(async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await rm(folder, { recursive: true, force: true });
  });

  /** The app of a snippet, with routes, and a last one that tells the session. */
  const appOf = async (heading: string, addRoutes = (_app: Express): void => {}): Promise<Express> => {
    const { app } = (await import(pathToFileURL(file(heading)).href)) as { app: Express };
    addRoutes(app);
    return app.set('env', 'test').use((req, res) => {
      const { sessionId, source } = req.security;
      res.json(sessionId === undefined ? null : { id: sessionId, source });
    });
  };

  it('has a recipe for each package, and a test for each recipe', () => {
    expect(headings).to.deep.equal([
      'express-jwt',
      'express-oauth2-jwt-bearer',
      'MCP SDK',
      'A2A',
      'passport and express-session',
    ]);
  });

  for (const heading of headings) {
    it(`${heading}: the snippet type-checks strictly`, async () => {
      const tsc = path('node_modules/typescript/bin/tsc');
      const args = [tsc, '-p', join(file(heading), '..')];
      const { stdout } = await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => error);
      expect(stdout).to.equal('');
    });
  }

  it('express-jwt: a token needs a session claim', async () => {
    const app = await appOf('express-jwt');
    const ask = async (claims: JWTPayload, secret?: string) =>
      request(app)
        .get('/')
        .set('authorization', `Bearer ${await bearer(claims, secret)}`);
    for (const sub of ['alice', 'bob']) {
      expect((await ask({ sub, session_id: 's-1' })).body).to.deep.equal(session({ subject: sub, claim: 's-1' }));
    }
    const { status, body } = await ask({ sub: 'alice' });
    expect({ status, code: body.code }).to.deep.equal({ status: 403, code: 'session_required' });
    expect((await ask({ sub: 'alice', session_id: 's-1' }, `${SECRET}?`)).status).to.equal(401);
  });

  it('express-oauth2-jwt-bearer: one sub at two issuers is two subjects', async () => {
    const app = await appOf('express-oauth2-jwt-bearer');
    for (const iss of ['https://staff.example', 'https://partners.example']) {
      const subject = JSON.stringify([iss, 'alice']);
      const ask = async () =>
        request(app)
          .get('/')
          .set('authorization', `Bearer ${await bearer({ iss, sub: 'alice' })}`);
      expect((await ask()).body).to.deep.equal(session({ subject }, 'strict'));
      expect((await ask()).body.id).to.have.length(64);
    }
    await request(app)
      .get('/')
      .set('authorization', `Bearer ${await bearer({ sub: 'alice' })}`)
      .expect(401);
  });

  it('MCP SDK: the person is the subject, the client is the caller', async () => {
    const app = await appOf('MCP SDK');
    const ask = async (claims: JWTPayload) =>
      request(app)
        .post('/mcp')
        .set('authorization', `Bearer ${await bearer(claims)}`);
    const alice = { sub: 'alice', client_id: 'client-1' };
    expect((await ask(alice)).body).to.deep.equal(session({ subject: 'alice', caller: 'client-1' }));
    const headers = { authorization: `Bearer ${await bearer(alice)}`, 'mcp-session-id': 'chat' };
    expect((await request(app).post('/mcp').set(headers)).body).to.deep.equal(
      session({ subject: 'alice', sessionId: 'chat' }),
    );
    expect((await ask({ sub: 'alice' })).status).to.equal(401);
    expect((await ask({ ...alice, iss: 'https://other.example' })).status).to.equal(401);
    await request(app).post('/mcp').expect(401);
  });

  it('A2A: the context id is the session, and must be a string', async () => {
    const app = await appOf('A2A');
    const ask = async (message: object) =>
      request(app)
        .post('/')
        .set('authorization', `Bearer ${await bearer({ sub: 'alice' })}`)
        .send({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } });
    expect((await ask({})).body).to.deep.equal(session({ subject: 'alice' }));
    expect((await ask({ contextId: 'ctx-1' })).body).to.deep.equal(session({ subject: 'alice', sessionId: 'ctx-1' }));
    expect((await ask({ contextId: ['ctx-1'] })).status).to.equal(500);
  });

  it('passport and express-session: a login gets the session of its cookie', async () => {
    passport.use(
      new (class extends Strategy {
        override name = 'header';

        override authenticate(req: Request): void {
          const id = req.get('x-user');
          if (id === undefined) this.pass();
          else this.success({ id });
        }
      })(),
    );
    const app = await appOf('passport and express-session', (bare) => {
      bare.get('/login', passport.authenticate('header'), (_req, res) => void res.send('welcome'));
    });
    await request(app).get('/').expect(200, 'null');
    await request(app)
      .get('/tools')
      .expect(403, /session\.required/);
    for (const subject of ['alice', 'bob']) {
      const { headers } = await request(app).get('/login').set('x-user', subject).expect(200);
      const cookie = (headers['set-cookie'] as unknown as string[])[0]?.split(';')[0] ?? '';
      const sessionId = decodeURIComponent(cookie).replace(/^connect\.sid=s:(.*)\..*$/, '$1');
      await request(app).get('/').set('cookie', cookie).expect(200, session({ subject, sessionId }));
    }
  });
});
