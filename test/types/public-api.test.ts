import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { publicApi } from './public-api.js';

const LIB = fileURLToPath(new URL('../../lib/', import.meta.url));
const RECORD = fileURLToPath(new URL('./public-api.txt', import.meta.url));

describe('the public API', function () {
  this.timeout(60_000);

  /** `UPDATE_PUBLIC_API=1 npx mocha test/types/public-api.test.ts` writes the record again. Each change belongs in the changelog. */
  it('exports the recorded names with the recorded types', () => {
    const entries = ['index', 'apl', 'context', 'valkey', 'testing', 'dashboard', 'metrics', 'opentelemetry'];
    const files = readdirSync(LIB).filter((file) => file.endsWith('.ts'));
    expect(entries.map((entry) => `${entry}.ts`)).to.have.members(files);
    const api = publicApi(entries);
    if (process.env['UPDATE_PUBLIC_API'] === '1') writeFileSync(RECORD, api);
    expect(api).to.equal(readFileSync(RECORD, 'utf8'));
  });
});
