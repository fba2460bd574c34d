// Compiles lib/ to CommonJS in dist/, and writes an ESM facade for each entry. The facade holds no code: it re-exports the
// names of the CommonJS file, so a process that uses `import` and `require` has one instance of each class and symbol.
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
// an entry is a file directly in lib/
const entries = readdirSync(at('lib'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

const others = entries.filter((entry) => entry !== 'index');
const manifest = {
  exports: {
    '.': { import: './dist/index.mjs', require: './dist/index.js' },
    ...Object.fromEntries(others.map((e) => [`./${e}`, { import: `./dist/${e}.mjs`, require: `./dist/${e}.js` }])),
    './package.json': './package.json',
  },
  // for the resolution `node10` of TypeScript, which does not read `exports`
  typesVersions: { '*': Object.fromEntries(others.map((entry) => [entry, [`./dist/${entry}.d.ts`]])) },
};
const written = JSON.parse(readFileSync(at('package.json'), 'utf8'));
for (const [field, value] of Object.entries(manifest)) {
  if (!isDeepStrictEqual(written[field], value))
    throw new Error(
      `package.json: "${field}" does not fit the entries in lib/. Write: ${JSON.stringify(value, null, 2)}`,
    );
}

rmSync(at('dist'), { recursive: true, force: true });
execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('tsconfig.build.json')], {
  stdio: 'inherit',
});
// bundlers and Node read the package.json that is nearest to a file
writeFileSync(at('dist/package.json'), `${JSON.stringify({ type: 'commonjs', sideEffects: false }, null, 2)}\n`);
for (const entry of entries) {
  const names = Object.keys(createRequire(import.meta.url)(at(`dist/${entry}.js`))).sort();
  writeFileSync(at(`dist/${entry}.mjs`), `export { ${names.join(', ')} } from './${entry}.js';\n`);
  writeFileSync(at(`dist/${entry}.d.mts`), `export * from './${entry}.js';\n`);
}
// npm sets this bit when it installs the package; a clone needs it too
for (const file of Object.values(written.bin)) chmodSync(at(file), 0o755);
