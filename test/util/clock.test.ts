import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { epochMs } from '../../lib/util/clock.js';

const GLOBALS =
  /(?<![.\w])(setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|nextTick)\(|queueMicrotask|process\.nextTick|performance\.now|Date\.now|process\.hrtime/;

describe('clock of lib/', () => {
  it('epochMs has fractions, and stays near the wall clock', () => {
    const times = Array.from({ length: 50 }, () => epochMs());
    for (const time of times) expect(time).to.be.closeTo(Date.now(), 1_000);
    expect(times.some((time) => time % 1 !== 0)).to.equal(true);
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it('no file uses a timer or clock that tests of an app may fake', () => {
    const root = fileURLToPath(new URL('../../lib/', import.meta.url));
    const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
    expect(paths.length).to.be.greaterThan(50);
    // the script of the dashboard runs in a browser
    const allowed = ['util/clock.ts', join('dashboard', 'page', 'script.ts')];
    const faults = paths.filter((path) => !allowed.includes(path) && usesGlobals(readFileSync(root + path, 'utf8')));
    expect(faults).to.deep.equal([]);
  });

  it('the rule rejects a global, and a name from elsewhere', () => {
    expect(usesGlobals('setTimeout(() => {}, 5);')).to.equal(true);
    expect(usesGlobals('const started = performance.now();')).to.equal(true);
    expect(usesGlobals("import { setTimeout } from 'node:timers';\nsetTimeout(() => {}, 5);")).to.equal(true);
    expect(usesGlobals("import { setTimeout } from '../contract/clock.js';\nsetTimeout(() => {}, 5);")).to.equal(false);
  });
});

/** Names that a file imports from the clock are fine. */
function usesGlobals(text: string): boolean {
  const imported = /import \{([^}]*)\} from '[./a-z]*\/clock\.js';/s.exec(text)?.[1] ?? '';
  const names = imported.split(',').map((name) => name.trim());
  return text
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/\/\/.*$/gm, '')
    .split('\n')
    .some((line) => {
      const found = GLOBALS.exec(line);
      return found !== null && !(found[1] !== undefined && names.includes(found[1]));
    });
}
