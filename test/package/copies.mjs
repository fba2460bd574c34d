// Two installed versions of the package in one process.
import { cpSync, readFileSync } from 'node:fs';
import { assertIncludes, check } from './project.mjs';

/** @param {import('./project.mjs').Project} app with the package installed */
export async function checkCopies(app) {
  app.copy('versions.mjs');
  copy(app, 'next-patch', ["'0.", "'9."]);
  copy(app, 'next-protocol', ["'0.", "'9."], [/const PROTOCOL = \d+;/, 'const PROTOCOL = 999;']);
  await check('two versions with one protocol serve a request together', () =>
    assertIncludes(app.node('versions.mjs', 'next-patch', 'together'), 'together: ok'),
  );
  await check('two versions with different protocols fail with the code middleware.conflict', () =>
    assertIncludes(app.node('versions.mjs', 'next-protocol', 'conflict'), 'conflict: ok'),
  );
}

/** Installs the package once more, under another name and with another version. */
function copy(app, name, version, protocol) {
  cpSync(app.path('node_modules/express-apl-session'), app.path('node_modules', name), { recursive: true });
  replace(app, `node_modules/${name}/dist/contract/version.js`, version);
  if (protocol) replace(app, `node_modules/${name}/dist/middleware/session-security.js`, protocol);
}

function replace(app, name, [from, to]) {
  const text = readFileSync(app.path(name), 'utf8');
  if (text.search(from) < 0) throw new Error(`${name} does not hold ${from}`);
  app.write(name, text.replace(from, to));
}
