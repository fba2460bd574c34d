import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { snippetsOf } from './documents.js';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** The errors of the compiler for a module that imports this package by name. It is as strict as in the project, but allows unused names. */
export function compilerFaults(module: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'express-apl-session-snippets-'));
  try {
    symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'snippets.ts'), module);
    const compilerOptions = {
      noUnusedLocals: false,
      noUnusedParameters: false,
      paths: { 'express-apl-session': [`${PROJECT}lib/index.ts`], 'express-apl-session/*': [`${PROJECT}lib/*.ts`] },
    };
    const config = { extends: `${PROJECT}tsconfig.json`, compilerOptions, include: ['snippets.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    return status === 0 ? '' : `${stdout}${stderr}` || `tsc ended with status ${status}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The errors of the compiler for the TypeScript of a document, as one module. */
export function documentFaults(document: string): string {
  return compilerFaults(
    snippetsOf(document)
      .map(({ code }) => code)
      .join('\n'),
  );
}
