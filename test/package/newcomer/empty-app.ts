import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A folder of a new user, outside the repository, which is removed at the end. */
export interface EmptyApp {
  readonly folder: string;
  /** `npm install` of the tarball and of these packages. */
  install(...packages: string[]): void;
  write(file: string, text: string): void;
  /** Copies a file of `test/package/newcomer/`. */
  copy(from: string, to: string): void;
  run(command: string, ...args: string[]): string;
}

/** Calls `use` with an app that has the tarball of the command line. Prints `name` at the end. */
export async function inEmptyApp(name: string, use: (app: EmptyApp) => Promise<void> | void): Promise<void> {
  const [tarball = ''] = process.argv.slice(2);
  if (!existsSync(tarball)) throw new Error(`usage: ${name} <tarball>`);
  const folder = mkdtempSync(join(tmpdir(), 'express-apl-session-newcomer-'));
  const run = (command: string, ...args: string[]): string => {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    try {
      return execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: [...stdio] });
    } catch (error) {
      console.error((error as { stdout?: string }).stdout ?? '');
      throw error;
    }
  };
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
  try {
    await use({
      folder,
      run,
      install: (...packages) => void run('npm', 'install', ...flags, resolve(tarball), ...packages),
      write: (file, text) => writeFileSync(join(folder, file), text),
      copy: (from, to) => copyFileSync(fileURLToPath(new URL(from, import.meta.url)), join(folder, to)),
    });
    console.log(`${name}: ok on Node ${process.versions.node}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
