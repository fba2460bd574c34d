// Installs a packed tarball into apps that are compiled, tested, bundled and installed by other tools.
// node test/package/tools.mjs <tarball>
import { cpSync, existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkCopies } from './copies.mjs';
import { checkPnpm } from './pnpm.mjs';
import { assertIncludes, check, Project } from './project.mjs';

const [argument] = process.argv.slice(2);
if (!argument || !existsSync(argument)) throw new Error('usage: tools.mjs <tarball>');
const tarball = resolve(argument);

const ALARM = '"alarm":"session_missing"';
const STRICT = {
  ...{ target: 'ES2022', types: ['node'], rootDir: '.', outDir: 'out', esModuleInterop: true },
  ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
};
const NODE10 = { module: 'commonjs', moduleResolution: 'node10', target: 'ES2016' };

const app = new Project();
app.install(
  ...[tarball, 'express@5', '@types/express@5', '@types/node@22', 'typescript@5.9', 'typescript7@npm:typescript@7'],
  ...['jest@30', 'ts-jest@29', '@types/jest@30', 'vitest@4', 'supertest', 'esbuild', 'pnpm@12'],
  ...nestPackages(12),
);
for (const file of ['app/app.ts', 'app/main.ts', 'app/app.spec.ts', 'app/names.ts']) app.copy(file);
const tsc = (compiler) => app.path('node_modules', compiler, 'bin/tsc');

function nestPackages(major) {
  return [
    ...['common', 'core', 'platform-express'].map((name) => `@nestjs/${name}@${major}`),
    'reflect-metadata',
    'rxjs',
  ];
}

/** Compiles `main.ts` of a folder, and runs it. Returns what it printed. */
function compileAndRun(project, folder, compiler, type, compilerOptions) {
  project.write(`${folder}/package.json`, { private: true, type });
  project.write(`${folder}/tsconfig.json`, { compilerOptions: { ...STRICT, ...compilerOptions }, files: ['main.ts'] });
  project.write(`${folder}/out/package.json`, { type });
  project.node(tsc(compiler), '-p', folder);
  return project.node(`${folder}/out/main.js`);
}

const bundler = { moduleResolution: 'bundler' };
const modes = [
  ['typescript', 'commonjs', NODE10],
  ['typescript', 'module', { ...bundler, module: 'esnext' }],
  ['typescript7', 'module', { ...bundler, module: 'esnext' }],
  ['typescript7', 'commonjs', { ...bundler, module: 'commonjs' }],
  ...['node16', 'nodenext'].flatMap((mode) =>
    ['commonjs', 'module'].flatMap((type) =>
      ['typescript', 'typescript7'].map((compiler) => [compiler, type, { module: mode, moduleResolution: mode }]),
    ),
  ),
];
for (const [compiler, type, options] of modes) {
  const title = `${compiler === 'typescript' ? 'TypeScript 5.9' : 'TypeScript 7'}, ${JSON.stringify(options)}, ${type}`;
  await check(`an app compiles and runs with ${title}`, () =>
    assertIncludes(compileAndRun(app, 'app', compiler, type, options), 'app: ok'),
  );
}

await check('the types need no esModuleInterop', () => {
  const compilerOptions = { ...STRICT, ...NODE10, esModuleInterop: false, noEmit: true };
  app.write('app/tsconfig.json', { compilerOptions, files: ['names.ts'] });
  app.node(tsc('typescript'), '-p', 'app');
});

// the options of `nest new`, but with `strict` and with the types of libraries checked
const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true, declaration: true, target: 'ES2021' };
const nodenext = { ...decorators, module: 'nodenext', moduleResolution: 'nodenext', isolatedModules: true };
const nest10 = new Project();
nest10.install(tarball, ...nestPackages(10), '@types/express@4', '@types/node@22');
for (const [major, project, type, options] of [
  [10, nest10, 'commonjs', { ...decorators, ...NODE10 }],
  [12, app, 'commonjs', nodenext],
  [12, app, 'module', nodenext],
]) {
  await check(`an app of NestJS ${major} compiles and runs, ${JSON.stringify(options)}, ${type}`, () => {
    project.copy('nest/main.ts');
    assertIncludes(compileAndRun(project, 'nest', 'typescript', type, options), 'nest: ok');
  });
}

await check('jest runs CommonJS tests of an app without any transform', () => {
  app.write('app/package.json', { private: true });
  app.write('app/tsconfig.json', { compilerOptions: { ...STRICT, ...NODE10, types: ['node', 'jest'] } });
  app.write('app/out/package.json', {});
  app.node(tsc('typescript'), '-p', 'app');
  app.write('app/out/jest.config.json', { transform: {} });
  assertIncludes(app.node('node_modules/jest/bin/jest.js', '--rootDir=app/out', '-c=app/out/jest.config.json'), ALARM);
});

await check('ts-jest runs TypeScript tests of an app', () => {
  const moduleNameMapper = { '^(\\./.*)\\.js$': '$1' };
  app.write('app/jest.config.json', {
    preset: 'ts-jest',
    modulePathIgnorePatterns: ['<rootDir>/out'],
    moduleNameMapper,
  });
  assertIncludes(app.node('node_modules/jest/bin/jest.js', '--rootDir=app', '-c=app/jest.config.json'), ALARM);
});

await check('vitest runs TypeScript tests of an app', () => {
  const flags = ['run', '--globals', '--root=app', '--exclude=out/**', '--disable-console-intercept'];
  assertIncludes(app.node('node_modules/vitest/vitest.mjs', ...flags), ALARM);
});

// mocha and node:test run theirs in test/testing/recipes.test.ts
await check('the recipes of docs/testing.md pass with jest and vitest', () => {
  cpSync(fileURLToPath(new URL('../testing/recipes', import.meta.url)), app.path('recipes'), { recursive: true });
  app.write('recipes/package.json', { private: true });
  app.node('node_modules/jest/bin/jest.js', '--rootDir=recipes', 'jest');
  app.node('node_modules/vitest/vitest.mjs', 'run', '--root=recipes', '--dir=recipes/vitest');
});

const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
for (const [format, banner] of [
  ['cjs', ''],
  // express itself needs `require` in an ESM bundle
  ['esm', REQUIRE],
]) {
  await check(`esbuild bundles an app and all that it needs to one file, ${format}`, () => {
    const alone = new Project();
    const file = alone.path(format === 'cjs' ? 'main.cjs' : 'main.mjs');
    const flags = ['--bundle', '--platform=node', `--format=${format}`, `--banner:js=${banner}`, `--outfile=${file}`];
    app.node('node_modules/esbuild/bin/esbuild', 'app/main.ts', '--log-level=warning', ...flags);
    const printed = alone.node(file);
    assertIncludes(printed, 'app: ok');
    assertIncludes(printed, ALARM);
  });
}

await checkCopies(app);
await checkPnpm(tarball, app, STRICT);
