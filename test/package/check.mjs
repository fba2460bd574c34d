// Installs a packed tarball into an empty app and uses it there: by import, by require(), and through its types.
// node test/package/check.mjs <tarball> [Express major, default 5]; with VALKEY_URL the Valkey store is exercised too
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertIncludes, check, Project } from './project.mjs';

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
const [tarball, express = '5'] = process.argv.slice(2);
if (!tarball || !existsSync(tarball)) throw new Error('usage: check.mjs <tarball> [Express major]');

const app = new Project();
app.install(resolve(tarball), `express@${express}`, `@types/express@${express}`, '@types/node@20');
const consumers = ['consumer-types.mjs', 'consumer.mjs', 'consumer.cjs', 'consumer-entries.mjs', 'consumer-valkey.mjs'];
for (const file of ['exercise.mjs', ...consumers]) app.copy(file);
const on = `on Node ${process.versions.node} and Express ${express}`;
const run = (file) => console.log(app.node(file).trim());

await check(`consumers compile strictly, declarations of the package included, with @types/express ${express}`, () => {
  const compilerOptions = {
    ...{ target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', types: ['node'], strict: true },
    ...{ exactOptionalPropertyTypes: true, allowJs: true, checkJs: true, noEmit: true, skipLibCheck: false },
  };
  // a program of its own: only here nothing but the import of the package brings `req.security`
  for (const files of [['consumer-types.mjs'], consumers]) {
    app.write('tsconfig.json', { compilerOptions, files });
    app.node(tsc, '-p', '.');
  }
});
await check(`an app that only imports the package runs, ${on}`, () => run('consumer-types.mjs'));
await check(`ESM imports the package, ${on}`, () => run('consumer.mjs'));
await check(`CommonJS requires the package, ${on}`, () => run('consumer.cjs'));
await check(`import and require() of each entry have one instance, ${on}`, () => run('consumer-entries.mjs'));
await check(`the Valkey store needs no ioredis, ${on}`, () => {
  if (app.has('node_modules/ioredis')) throw new Error('ioredis was installed');
  run('consumer-valkey.mjs');
});
await check(`npx runs the command of the package, ${on}`, () => {
  assertIncludes(app.run('npx', '--no-install', 'express-apl-session', 'doctor', '--help'), 'VALKEY_PASSWORD');
  const endpoint = process.env['VALKEY_URL'];
  const args = endpoint ? [endpoint] : ['127.0.0.1:1'];
  // a Valkey of the pipeline has no user for the labels, which is a warning; nothing listens on port 1
  const { status, stdout, stderr } = app.try('npx', '--no-install', 'express-apl-session', 'doctor', '--json', ...args);
  if (status !== (endpoint ? 1 : 2)) throw new Error([`doctor ended with ${status}`, stdout, stderr].join('\n'));
  assertIncludes(stdout, endpoint ? '"name": "excess_rights"' : '"code": "store.unavailable"');
});
for (const ioredis of ['5.0.0', '6']) {
  await check(`the Valkey store can be installed beside ioredis ${ioredis}, ${on}`, () => {
    app.install(`ioredis@${ioredis}`);
    run('consumer-valkey.mjs');
  });
}
