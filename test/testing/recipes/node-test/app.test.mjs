import assert from 'node:assert/strict';
import { beforeEach, describe, it, mock } from 'node:test';
import { controllableStore, seedSession, sessionIdFor, sessionLabels } from 'express-apl-session/testing';
import request from 'supertest';
import { createApp, mailJob } from '../app.mjs';

const alice = { subject: 'alice', sessionId: 's1' };
const headers = { 'x-user': 'alice', 'mcp-session-id': 's1' };

describe('the app', () => {
  let store;
  let app;
  let alarms;
  beforeEach(() => {
    alarms = [];
    store = controllableStore(); // a new memory store for each test
    app = createApp({ store, logger: { warn() {}, error() {} }, onAlarm: (alarm) => alarms.push(alarm.alarm) });
  });

  it('sends mail for a session without labels', async () => {
    await request(app).post('/mail').set(headers).expect(202);
  });

  it('refuses mail for a session that has read secret data', async () => {
    await seedSession(store, alice, ['secret']);
    const { body } = await request(app).post('/mail').set(headers).expect(403);
    assert.equal(body.code, 'session_tainted');
  });

  it('labels a session that reads salaries', async () => {
    await request(app).get('/salaries').set(headers).expect(200);
    assert.deepEqual(await sessionLabels(store, alice), ['secret']);
  });

  it('refuses every request while the store cannot load labels', async () => {
    store.fail('load');
    const { body } = await request(app).post('/mail').set(headers).expect(403);
    assert.equal(body.code, 'session.load_failed');
    assert.deepEqual(alarms, ['session_store_failure']);
    store.restore();
    await request(app).post('/mail').set(headers).expect(202);
  });

  it('sends no salary while the store cannot append labels', async () => {
    store.fail('append');
    const { body } = await request(app).get('/salaries').set(headers).expect(403);
    assert.equal(body.code, 'session.persist_failed');
  });

  it('holds the salaries until the label is stored', async () => {
    store.hang('append');
    let answered = false;
    const answer = request(app)
      .get('/salaries')
      .set(headers)
      .then((response) => {
        answered = true;
        return response.status;
      });
    await store.hanging('append');
    assert.equal(answered, false);
    store.restore();
    assert.equal(await answer, 200);
  });

  it('answers while the clock of the test stands still', async () => {
    mock.timers.enable();
    try {
      await request(app).get('/salaries').set(headers).expect(200);
    } finally {
      mock.timers.reset();
    }
  });

  it('sends no mail from a job of a session that has read secret data', async () => {
    assert.equal(await mailJob(sessionIdFor(alice), store), true);
    await seedSession(store, alice, ['secret']);
    assert.equal(await mailJob(sessionIdFor(alice), store), false);
  });
});
