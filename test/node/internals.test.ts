import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const LIB = fileURLToPath(new URL('../../lib/', import.meta.url));
/** Undocumented members of Node without an underscore in front. */
const BARE_NAMES = [
  'FINISH_CALLBACK',
  'bound onFinish',
  'httpAllowHalfOpen',
  'incoming',
  'kOutHeaders',
  'maxRequestsOnConnectionReached',
  'outputData',
  'outputSize',
  'writeHeader',
];

const sources = new Map(
  readdirSync(LIB, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, withoutComments(readFileSync(join(LIB, path), 'utf8'))]),
);
const nodeRoom = [...sources].filter(([path]) => path.startsWith('node'));
const otherRooms = [...sources].filter(([path]) => !path.startsWith('node'));
const underscored = new Set(nodeRoom.flatMap(([, code]) => code.match(/(?<!\w)_[a-z]\w+/gi) ?? []));
const internals = [...underscored, ...BARE_NAMES];

/** The internals that a source text names, outside of imports. */
function namedIn(code: string): string[] {
  const body = code.replace(/^import [^;]*;/gm, '');
  return internals.filter((name) => new RegExp(`(?<!\\w)${name}(?!\\w)`).test(body));
}

function withoutComments(code: string): string {
  return code.replace(/\/\*.*?\*\//gs, '').replace(/\/\/.*$/gm, '');
}

describe('undocumented members of Node', () => {
  it('are named in lib/node/', () => {
    expect(internals).to.include.members(['_header', '_httpMessage', '_parent', '_readableState', 'outputData']);
    for (const name of BARE_NAMES)
      expect(
        nodeRoom.some(([, code]) => code.includes(name)),
        name,
      ).to.equal(true);
  });

  it('are named nowhere else in lib/', () => {
    const found = otherRooms.map(([path, code]) => ({ path, names: namedIn(code) }));
    expect(found.filter(({ names }) => names.length > 0)).to.deep.equal([]);
  });

  it('are found by this test', () => {
    expect(namedIn('const { _header } = res;')).to.deep.equal(['_header']);
    expect(namedIn("res['outputData'].length")).to.deep.equal(['outputData']);
    expect(namedIn('res.socket._httpMessage')).to.deep.equal(['_httpMessage']);
    expect(namedIn('(_req, _res) => response_header')).to.deep.equal([]);
  });
});
