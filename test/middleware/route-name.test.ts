import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import { routeName } from '../../lib/middleware/route-name.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`routeName, ${version}`, () => {
    const answerName: RequestHandler = (req, res) => void res.send(routeName(req));

    async function nameOf(app: Express, path: string): Promise<string> {
      return (await request(app).get(path).expect(200)).text;
    }

    it('is the method and the pattern, once Express has matched one', async () => {
      const app = express().get('/users/:id/files', answerName);
      expect(await nameOf(app, '/users/4711/files?token=hunter2')).to.equal('GET /users/:id/files');
    });

    it('has the method of the request', async () => {
      const { text } = await request(express().all('/things', answerName)).delete('/things');
      expect(text).to.equal('DELETE /things');
    });

    it('has the path where a router is mounted, without parameter values', async () => {
      const router = express.Router({ mergeParams: true }).get('/files/:name', answerName);
      const app = express().use('/tenants/:tenant', router);
      expect(await nameOf(app, '/tenants/4711/files/a.txt')).to.equal('GET /tenants/:/files/:name');
    });

    it('before a route has matched is the path, with every segment that is no plain word masked', async () => {
      const app = express().use(answerName);
      const cases: ReadonlyArray<readonly [path: string, name: string]> = [
        ['/', 'GET /'],
        ['/users', 'GET /users'],
        ['/users/', 'GET /users/'],
        ['/users/4711/files', 'GET /users/:/files'],
        ['/users/a1b2?token=hunter2', 'GET /users/:'],
        ['/u/alice@example.com', 'GET /u/:'],
        ['/u/alice%20b', 'GET /u/:'],
        ['/.well-known/x', 'GET /:/x'],
        [`/${'x'.repeat(33)}`, 'GET /:'],
        [`/${'x'.repeat(32)}`, `GET /${'x'.repeat(32)}`],
        ['/log_in/sign-up/a.b', 'GET /log_in/sign-up/a.b'],
      ];
      for (const [path, name] of cases) expect(await nameOf(app, path)).to.equal(name);
    });

    it('masks the path where the pattern is a RegExp or a list', async () => {
      const app = express()
        .get(/^\/regexp\/\d+$/, answerName)
        .get(['/list/:id', '/other'], answerName);
      expect(await nameOf(app, '/regexp/42')).to.equal('GET /regexp/:');
      expect(await nameOf(app, '/list/42')).to.equal('GET /list/:');
    });

    it('is a name for what Node gives without Express', () => {
      const bare = { method: 'GET', url: '/x' } as unknown as Parameters<typeof routeName>[0];
      expect(routeName(bare)).to.equal('GET ');
    });
  });
}
