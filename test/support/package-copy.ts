import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ROOT } from './documents.js';

type Main = typeof import('../../lib/index.js');
type Context = typeof import('../../lib/context.js');

/** Another copy of this package in this process, as a second installation gives one. */
export interface PackageCopy {
  readonly main: Main;
  readonly context: Context;
  remove(): void;
}

/** A text that the copy has in the place of one that must be there. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export async function copyPackage(changes: readonly Change[] = []): Promise<PackageCopy> {
  const folder = mkdtempSync(join(tmpdir(), 'express-apl-session-copy-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    cpSync(new URL('lib', ROOT), join(folder, 'lib'), { recursive: true });
    symlinkSync(fileURLToPath(new URL('node_modules', ROOT)), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const { file, from, to } of changes) change(join(folder, 'lib', file), from, to);
    const load = (entry: string): Promise<unknown> => import(pathToFileURL(join(folder, 'lib', entry)).href);
    return { main: (await load('index.ts')) as Main, context: (await load('context.ts')) as Context, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function change(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${path} does not hold ${from}`);
  writeFileSync(path, text.replaceAll(from, to));
}
