// The program of the README, in an empty folder with the packed package: as ESM, as CommonJS, as TypeScript, and its test.
// node --import tsx test/package/newcomer-readme.ts <tarball>
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { only } from '../support/documents.js';
import { inEmptyApp } from './newcomer/empty-app.js';
import { checkProgram, readmeProgram } from './newcomer/readme-program.js';

await inEmptyApp('newcomer-readme', async ({ folder, install, write, run }) => {
  install('express');
  const readme = readFileSync(join(folder, 'node_modules/express-apl-session/README.md'), 'utf8');
  const { esm, commonjs, testable, test, calls } = readmeProgram(readme);
  await checkProgram(folder, 'app.mjs', esm, calls);
  await checkProgram(folder, 'app.cjs', commonjs, calls);

  const types = only(/`npm install --save-dev (typescript .*?)`/, readme).split(' ');
  const [npx = '', ...compile] = only(/`(npx tsc .*? app\.mts)`/, readme).split(' ');
  install(...types);
  await checkProgram(folder, 'app.mts', esm, calls, {
    compile() {
      run(npx, ...compile);
      return 'app.mjs';
    },
  });

  install('supertest');
  write('app.mjs', testable);
  write('app.test.mjs', test);
  run(process.execPath, '--test', 'app.test.mjs');
});
