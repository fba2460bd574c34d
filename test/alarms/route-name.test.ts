import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import { routeName } from '../../lib/alarms/route-name.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';

for (const [version, express] of EXPRESS_VERSIONS) {
  describe(`routeName, ${version}`, () => {
    const answerName: RequestHandler = (req, res) => void res.send(routeName(req, ['session-4711', 'word']));

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

    it('before a route matches, shows nothing of the path', async () => {
      expect(await nameOf(express().use(answerName), '/users/alice/session-4711?token=hunter2')).to.equal('GET *');
    });

    it('shows only the fixed words of a mount path', async () => {
      const under = (path: string): Express => express().use(path, express.Router().get('/x', answerName));
      expect(await nameOf(under('/api/log_in'), '/api/log_in/x')).to.equal('GET /api/log_in/x');
      expect(await nameOf(under('/:user/v2'), '/alice@example.com/v2/x')).to.equal('GET /:/:/x');
      expect(await nameOf(under(`/${'x'.repeat(33)}`), `/${'x'.repeat(33)}/x`)).to.equal('GET /:/x');
      expect(await nameOf(under('/:label'), '/word/x')).to.equal('GET /***/x');
    });

    it('shows a RegExp and a list as they were given', async () => {
      const app = express()
        .get(/^\/regexp\/\d+$/, answerName)
        .get(['/list/:id', '/other'], answerName);
      expect(await nameOf(app, '/regexp/42')).to.equal('GET /^\\/regexp\\/\\d+$/');
      expect(await nameOf(app, '/list/42')).to.equal('GET /list/:id,/other');
    });

    it('is a placeholder for a request without Express', () => {
      const bare = { method: 'GET', url: '/x' } as unknown as Parameters<typeof routeName>[0];
      expect(routeName(bare, [])).to.equal('GET *');
    });
  });
}
