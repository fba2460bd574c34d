const { randomUUID } = require('node:crypto');
const { describe, it } = require('node:test');
const request = require('supertest');
const { app } = require('./app');

const session = () => request.agent(app).set({ authorization: 'Bearer alice-token', 'mcp-session-id': randomUUID() });
const mail = (agent) => agent.post('/mail').send({ to: 'bob' });

describe('mail', () => {
  it('leaves a session without labels', async () => {
    await mail(session()).expect(200, { sentTo: 'bob' });
  });

  for (const path of ['/salaries', '/notes']) {
    it(`is refused after GET ${path}`, async () => {
      const agent = session();
      await agent.get(path).expect(200);
      await mail(agent).expect(403, /"code":"session_tainted"/);
      await mail(session()).expect(200);
    });
  }

  it('needs a user', async () => {
    await request(app).post('/mail').expect(401);
  });
});
