import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Express, RequestHandler } from 'express';
import request from 'supertest';
import { compilerFaults } from '../support/compiler.js';
import { ROOT, snippetsOf } from '../support/documents.js';

const DOCUMENT = 'docs/adopting.md';
const ALICE = { authorization: 'Bearer alice-token', 'mcp-session-id': 'task 1' };
const project = fileURLToPath(ROOT);
const steps = snippetsOf(DOCUMENT).map(({ code }) => code);

interface Program {
  readonly app: Express;
  readonly alarms: string[];
  readonly enforced: RequestHandler;
}

describe(DOCUMENT, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'express-apl-session-adopting-'));
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const programOf = (count: number): string =>
    ['export const alarms: string[] = [];', ...steps.slice(0, count)]
      .join('\n')
      .replaceAll("'express-apl-session'", JSON.stringify(pathToFileURL(join(project, 'lib/index.ts')).href));

  async function appAfter(count: number): Promise<Program> {
    const file = join(folder, `step-${count}.ts`);
    writeFileSync(file, programOf(count));
    return (await import(pathToFileURL(file).href)) as Program;
  }

  it('the steps compile as one program', function () {
    this.timeout(30_000);
    expect(steps).to.have.length(4);
    expect(compilerFaults(['const alarms: string[] = [];', ...steps].join('\n'))).to.equal('');
  });

  it('step 1 stores labels and refuses nothing', async () => {
    const { app, alarms } = await appAfter(2);
    expect((await request(app).get('/salaries').set(ALICE)).status).to.equal(200);
    expect((await request(app).get('/salaries')).status).to.equal(401);
    expect(alarms).to.deep.equal([]);
  });

  it('step 2 lets the mail pass, with an alarm', async () => {
    const { app, alarms } = await appAfter(3);
    expect((await request(app).post('/mail').set(ALICE)).status).to.equal(200);
    expect(alarms).to.deep.equal([]);
    await request(app).get('/salaries').set(ALICE);
    expect((await request(app).post('/mail').set(ALICE)).status).to.equal(200);
    expect(alarms).to.deep.equal(['policy_would_deny']);
  });

  it('step 4 refuses the mail', async () => {
    const { app, enforced } = await appAfter(4);
    await request(app).get('/salaries').set(ALICE);
    app.use('/enforced', enforced);
    const { status, body } = await request(app).post('/enforced/mail').set(ALICE);
    expect([status, body.code]).to.deep.equal([403, 'session_tainted']);
  });
});
