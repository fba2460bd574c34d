/**
 * Proves the tests of the gate: plants each deliberate fault in a copy of the project and runs them there. Exits 0 only if
 * they pass without a fault and fail with each one. `npm run test:faults`, with a part of a name for some of them only.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Fault, GATE_FAULTS } from './gate-faults.js';

const root = resolve(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'apl-faults-'));

function testsPass(): boolean {
  const mocha = ['--import', 'tsx', '--expose-gc', 'node_modules/mocha/bin/mocha.js', '--no-config', '--bail'];
  const specs = ['test/response/*.test.ts', 'test/middleware/denials.test.ts'];
  const { status } = spawnSync(process.execPath, [...mocha, '--timeout', '20000', ...specs], {
    cwd: copy,
    env: { ...process.env, DIFFERENTIAL_CASES: '600' },
    timeout: 120_000,
    stdio: 'ignore',
  });
  return status === 0;
}

/** Whether the tests notice the fault. */
function isCaught({ name, file, from, to }: Fault): boolean {
  const path = join(copy, file);
  const sound = readFileSync(path, 'utf8');
  if (sound.split(from).length !== 2) throw new Error(`The fault "${name}" does not fit ${file} any more.`);
  writeFileSync(
    path,
    sound.replace(from, () => to),
  );
  const caught = !testsPass();
  writeFileSync(path, sound);
  return caught;
}

try {
  for (const part of ['lib', 'test', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  if (!testsPass()) throw new Error('The tests of the gate fail without any fault.');
  const chosen = GATE_FAULTS.filter(({ name }) => name.includes(process.argv[2] ?? ''));
  const missed = chosen.filter((fault) => {
    const caught = isCaught(fault);
    process.stdout.write(`${caught ? 'caught' : 'MISSED'}  ${fault.name}\n`);
    return !caught;
  });
  process.stdout.write(`${chosen.length - missed.length} of ${chosen.length} faults caught\n`);
  process.exitCode = missed.length === 0 ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true });
}
