// A CommonJS app in JavaScript mounts the packed package, and its supertest tests pass.
// node --import tsx test/package/newcomer-commonjs.ts <tarball>
import { inEmptyApp } from './newcomer/empty-app.js';

await inEmptyApp('newcomer-commonjs', ({ install, write, copy, run }) => {
  write('package.json', JSON.stringify({ private: true }));
  install('express', 'supertest');
  copy('commonjs/app.cjs', 'app.js');
  copy('commonjs/app.spec.cjs', 'app.test.js');
  run(process.execPath, '--test', 'app.test.js');
});
