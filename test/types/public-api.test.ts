import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { publicApi } from './public-api.js';

const RECORD = fileURLToPath(new URL('./public-api.txt', import.meta.url));

describe('the public API', function () {
  this.timeout(60_000);

  /** `UPDATE_PUBLIC_API=1 npx mocha test/types/public-api.test.ts` writes the record anew; each change belongs in the changelog. */
  it('exports the recorded names with the recorded types', () => {
    const api = publicApi(['index', 'apl', 'context', 'valkey', 'testing', 'dashboard']);
    if (process.env['UPDATE_PUBLIC_API'] === '1') writeFileSync(RECORD, api);
    expect(api).to.equal(readFileSync(RECORD, 'utf8'));
  });
});
