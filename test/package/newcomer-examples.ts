// The examples in the packed package run in an empty app, and the package contains docker-compose.yml.
// node --import tsx test/package/newcomer-examples.ts <tarball>
import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inEmptyApp } from './newcomer/empty-app.js';

/** The packages that an example imports, beside Express. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  compensation: [],
  policies: ['@cedar-policy/cedar-wasm', '@marcbachmann/cel-js'],
  mcp: ['@modelcontextprotocol/sdk'],
  apl: ['yaml'],
};

await inEmptyApp('newcomer-examples', ({ folder, install, run }) => {
  const contents = 'node_modules/express-apl-session';
  for (const [example, packages] of Object.entries(EXAMPLES)) {
    install('express', 'tsx', ...packages);
    const printed = run('npx', 'tsx', `${contents}/examples/${example}/main.ts`);
    assert.match(printed, /Every answer was the expected one\./, example);
  }
  for (const file of ['docker-compose.yml', 'examples/operations/alerts.yml', 'examples/operations/dashboard.json']) {
    assert(existsSync(join(folder, contents, file)), file);
  }
});
