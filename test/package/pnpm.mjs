// A pnpm workspace with an app on Express 4 and one on Express 5.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertIncludes, check, Project } from './project.mjs';

const LAYOUTS = [
  'nodeLinker: isolated',
  'nodeLinker: isolated, shamefullyHoist: true',
  // without the limit pnpm makes one copy for both apps, which has the types of one Express
  'nodeLinker: hoisted, hoistingLimits: workspaces',
];

/** @param {Project} tools with pnpm and TypeScript installed */
export async function checkPnpm(tarball, tools, strict) {
  const store = mkdtempSync(join(tmpdir(), 'express-apl-session-pnpm-'));
  try {
    for (const layout of LAYOUTS) {
      await check(`a pnpm workspace with Express 4 and 5 compiles and runs, ${layout}`, () => {
        const workspace = new Project();
        const lines = ['packages: [apps/*]', ...layout.split(', '), `storeDir: ${store}`, 'ignoreScripts: true', ''];
        workspace.write('pnpm-workspace.yaml', lines.join('\n'));
        for (const major of [4, 5]) writeApp(workspace, `apps/express-${major}`, major, tarball, strict);
        workspace.node(tools.path('node_modules/pnpm/bin/pnpm.mjs'), 'install');
        for (const major of [4, 5]) {
          workspace.node(tools.path('node_modules/typescript7/bin/tsc'), '-p', `apps/express-${major}`);
          assertIncludes(workspace.node(`apps/express-${major}/out/main.js`), 'app: ok');
        }
      });
    }
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}

function writeApp(workspace, folder, major, tarball, strict) {
  workspace.write(`${folder}/package.json`, {
    ...{ name: `express-${major}`, private: true },
    dependencies: { express: `^${major}.0.0`, 'express-apl-session': `file:${tarball}` },
    devDependencies: { '@types/express': `^${major}.0.0`, '@types/node': '^22.0.0' },
  });
  const compilerOptions = { ...strict, module: 'nodenext', moduleResolution: 'nodenext' };
  workspace.write(`${folder}/tsconfig.json`, { compilerOptions, files: ['main.ts'] });
  for (const file of ['app.ts', 'main.ts']) workspace.copy(`app/${file}`, `${folder}/${file}`);
}
