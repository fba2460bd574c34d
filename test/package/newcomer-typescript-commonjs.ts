// A TypeScript app that compiles to CommonJS mounts the packed package, and its supertest tests pass.
// node --import tsx test/package/newcomer-typescript-commonjs.ts <tarball>
import { inEmptyApp } from './newcomer/empty-app.js';

await inEmptyApp('newcomer-typescript-commonjs', ({ install, write, copy, run }) => {
  write('package.json', JSON.stringify({ private: true }));
  const types = ['@types/express', '@types/supertest', '@types/node@20'];
  install('express', 'supertest', 'typescript@~5.9.3', ...types);
  const compilerOptions = {
    ...{ target: 'es2022', module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true },
    ...{ strict: true, skipLibCheck: false, outDir: 'dist' },
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions }));
  copy('typescript/app.ts', 'app.ts');
  copy('typescript/app.spec.ts', 'app.test.ts');
  run('npx', 'tsc');
  run(process.execPath, '--test', 'dist/app.test.js');
});
