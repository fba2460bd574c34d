// Installs a packed tarball into an empty app and uses it there: by import, by require(), and through its types.
// node test/package/check.mjs <tarball> [Express major, default 5]; with VALKEY_URL the Valkey store is exercised too
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('./', import.meta.url));
const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
const [tarball, express = '5'] = process.argv.slice(2);
if (!tarball || !existsSync(tarball)) throw new Error('usage: check.mjs <tarball> [Express major]');

const app = mkdtempSync(join(tmpdir(), 'express-apl-session-consumer-'));
try {
  install(resolve(tarball), `express@${express}`, `@types/express@${express}`, '@types/node@20');
  if (existsSync(join(app, 'node_modules/ioredis'))) throw new Error('ioredis was installed, but it is optional');
  use('consumer-types.mjs');
  use('exercise.mjs', 'consumer.mjs', 'consumer.cjs');
  for (const ioredis of ['5.0.0', '5', '6']) {
    install(`ioredis@${ioredis}`);
    use('exercise.mjs', 'consumer-valkey.mjs');
  }
  console.log(`package: ok on Node ${process.versions.node}, Express ${express}`);
} finally {
  rmSync(app, { recursive: true, force: true });
}

/** Installs packages into the app. */
function install(...packages) {
  if (!existsSync(join(app, 'package.json'))) writeFileSync(join(app, 'package.json'), '{ "private": true }');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
  run('npm', 'install', ...flags, ...packages);
}

/** Type-checks consumers strictly, declarations of the package included, and runs them. */
function use(...files) {
  for (const file of files) copyFileSync(join(here, file), join(app, file));
  const compilerOptions = {
    ...{ target: 'ES2023', module: 'NodeNext', moduleResolution: 'NodeNext', types: ['node'], strict: true },
    ...{ exactOptionalPropertyTypes: true, allowJs: true, checkJs: true, noEmit: true, skipLibCheck: false },
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  run(process.execPath, tsc, '-p', app);
  for (const file of files.filter((name) => name.startsWith('consumer'))) run(process.execPath, file);
}

function run(command, ...args) {
  execFileSync(command, args, { cwd: app, stdio: 'inherit' });
}
