import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sessionStoreContract } from '../../../lib/testing.js';
import { FileSessionStore } from './file-session-store.js';

const folder = mkdtempSync(join(tmpdir(), 'labels-'));

const cases = sessionStoreContract({
  open: () => new FileSessionStore(folder),
  limit: true,
  close: true,
  check: true,
  outage: {
    start: () => renameSync(folder, `${folder}-gone`),
    end: () => renameSync(`${folder}-gone`, folder),
  },
});

describe('FileSessionStore', () => {
  after(() => rmSync(folder, { recursive: true }));
  for (const { title, run } of cases) it(title, run);
});
