// What the checks of the packed tarball share: folders that are removed at the end, installs, and checks with a title.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('./', import.meta.url));
const NPM_FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];

/** An app in a temporary folder, which the process removes when it exits. */
export class Project {
  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'express-apl-session-consumer-'));
    process.on('exit', () => rmSync(this.folder, { recursive: true, force: true }));
    this.write('package.json', { private: true });
  }

  path(...names) {
    return join(this.folder, ...names);
  }

  has(name) {
    return existsSync(this.path(name));
  }

  /** Writes a text, or an object as JSON. */
  write(name, content) {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }

  /** Copies a file of `test/package/`. */
  copy(name, to = name) {
    cpSync(join(here, name), this.path(to));
  }

  install(...packages) {
    execFileSync('npm', ['install', ...NPM_FLAGS, ...packages], { cwd: this.folder, stdio: 'inherit' });
  }

  /** Runs a command that may fail. */
  try(command, ...args) {
    return spawnSync(command, args, { cwd: this.folder, encoding: 'utf8' });
  }

  /** Returns what the command printed. Throws it if the command fails. */
  run(command, ...args) {
    const { status, error, stdout, stderr } = this.try(command, ...args);
    if (status !== 0) throw new Error([`${command} ${args.join(' ')}: ${error ?? status}`, stdout, stderr].join('\n'));
    return stdout + stderr;
  }

  node(...args) {
    return this.run(process.execPath, ...args);
  }
}

/** Runs one check. A check that fails prints what it proves, and the process ends with 1 after the other checks. */
export async function check(proves, run) {
  const startedMs = performance.now();
  try {
    await run();
    console.log(`ok ${((performance.now() - startedMs) / 1000).toFixed(1)} s: ${proves}`);
  } catch (error) {
    console.error(`FAILED: ${proves}\n${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

export function assertIncludes(text, part) {
  if (!text.includes(part)) throw new Error(`This text is missing: ${part}\n${text}`);
}
