// Installs a packed tarball into an empty app and uses it there: by import, by require(), and through its types.
// node test/package/check.mjs <tarball> [Express major, default 5]; with VALKEY_URL the Valkey store is exercised too
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, Project } from './project.mjs';

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
for (const ioredis of ['5.0.0', '6']) {
  await check(`the Valkey store can be installed beside ioredis ${ioredis}, ${on}`, () => {
    app.install(`ioredis@${ioredis}`);
    run('consumer-valkey.mjs');
  });
}
