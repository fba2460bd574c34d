/**
 * Proves the tests of the gate and of the sessions: plants each deliberate fault in a copy of the project and runs them
 * there. Exits 0 only if they pass without a fault and fail with each one. `npm run test:faults`, with a part of a name for
 * some of them only.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Fault, GATE_FAULTS } from './gate-faults.js';
import { RULES_FAULTS } from './rules-faults.js';
import { SESSION_FAULTS } from './session-faults.js';

/** Tests, and the faults that they must notice. */
interface Suite {
  readonly specs: readonly string[];
  readonly faults: readonly Fault[];
}

const SUITES: readonly Suite[] = [
  {
    specs: [
      'test/gate/*.test.ts',
      'test/node/assert-gateable.test.ts',
      'test/node/connection.test.ts',
      'test/node/on-response-close.test.ts',
      'test/node/response-headers.test.ts',
      'test/denial/denial.test.ts',
    ],
    faults: GATE_FAULTS,
  },
  {
    specs: [
      'test/labels/*.test.ts',
      'test/known-sessions/*.test.ts',
      ...['guard', 'guard-options', 'predicate-guards', 'taint'].map((unit) => `test/guards/${unit}.test.ts`),
      'test/denial/unavailable.test.ts',
      'test/middleware/close.test.ts',
      'test/middleware/deny.test.ts',
      'test/middleware/write-ahead.test.ts',
      'test/interop/mcp-results.test.ts',
    ],
    faults: SESSION_FAULTS,
  },
  { specs: ['test/apl-guards/*.test.ts'], faults: RULES_FAULTS },
];

const root = resolve(import.meta.dirname, '../..');
const part = process.argv[2] ?? '';

/** A copy of the project, in which one fault at a time is planted. */
class Copy {
  readonly #folder = mkdtempSync(join(tmpdir(), 'apl-faults-'));

  constructor() {
    for (const name of ['lib', 'test', 'package.json', 'tsconfig.json']) {
      cpSync(join(root, name), join(this.#folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'));
  }

  /** Whether all tests pass. With `show`, their output is printed. */
  passes({ specs }: Suite, show = false): Promise<boolean> {
    const mocha = ['--import', 'tsx', '--expose-gc', 'node_modules/mocha/bin/mocha.js', '--no-config', '--bail'];
    const child = spawn(process.execPath, [...mocha, '--reporter', 'dot', '--timeout', '20000', ...specs], {
      cwd: this.#folder,
      env: { ...process.env, DIFFERENTIAL_CASES: '600' },
      timeout: 120_000,
      stdio: show ? ['ignore', 'inherit', 'inherit'] : 'ignore',
    });
    return new Promise((done) => child.once('exit', (status) => done(status === 0)));
  }

  /** Whether the tests notice the fault. */
  async catches(suite: Suite, { name, file, from, to }: Fault): Promise<boolean> {
    const path = join(this.#folder, file);
    const sound = readFileSync(path, 'utf8');
    if (sound.split(from).length !== 2) throw new Error(`The fault "${name}" does not fit ${file} any more.`);
    writeFileSync(
      path,
      sound.replace(from, () => to),
    );
    const passed = await this.passes(suite);
    writeFileSync(path, sound);
    return !passed;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

const chosen = SUITES.flatMap((suite) =>
  suite.faults.filter(({ name }) => name.includes(part)).map((fault) => ({ suite, fault })),
);
const waiting = [...chosen];
const missed: Fault[] = [];

async function work(copy: Copy): Promise<void> {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const caught = await copy.catches(next.suite, next.fault);
    process.stdout.write(`${caught ? 'caught' : 'MISSED'}  ${next.fault.name}\n`);
    if (!caught) missed.push(next.fault);
  }
}

const copies = Array.from({ length: Math.min(availableParallelism(), 2) }, () => new Copy());
try {
  for (const suite of SUITES) {
    const passes = await copies[0]?.passes(suite, true);
    if (!passes) throw new Error(`Tests fail without any fault: ${suite.specs.join(' ')}`);
  }
  await Promise.all(copies.map(work));
  process.stdout.write(`${chosen.length - missed.length} of ${chosen.length} faults caught\n`);
  process.exitCode = missed.length === 0 ? 0 : 1;
} finally {
  for (const copy of copies) copy.remove();
}
