// A TypeScript app that compiles to ESM mounts the packed package, and its supertest tests pass.
// node --import tsx test/package/newcomer-typescript-esm.ts <tarball>
import { inEmptyApp } from './newcomer/empty-app.js';

await inEmptyApp('newcomer-typescript-esm', ({ install, write, copy, run }) => {
  write('package.json', JSON.stringify({ private: true, type: 'module' }));
  const types = ['@types/express', '@types/supertest', '@types/node@20'];
  install('express', 'supertest', 'typescript', ...types);
  const compilerOptions = {
    ...{ target: 'es2022', module: 'nodenext', types: ['node'], strict: true, skipLibCheck: false, outDir: 'dist' },
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions }));
  copy('typescript/app.ts', 'app.ts');
  copy('typescript/app.spec.ts', 'app.test.ts');
  run('npx', 'tsc');
  run(process.execPath, '--test', 'dist/app.test.js');
});
