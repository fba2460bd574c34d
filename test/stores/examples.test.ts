import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { compilerFaults } from '../support/compiler.js';

const NAMES = `
  import express from 'express';
  import { aplSessionMiddleware, MemorySessionStore, sessionStoreBlock } from 'express-apl-session';
  import type { SessionResolver, SessionStoreBlock } from 'express-apl-session';
  import { ValkeySessionStore, valkeySessionStoreFactory } from 'express-apl-session/valkey';
  const app = express();
  declare const session: SessionResolver;`;

describe('examples in the comments of lib/stores/', () => {
  it('compile', function () {
    this.timeout(60_000);
    const root = fileURLToPath(new URL('../../lib/stores/', import.meta.url));
    const examples = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [...readFileSync(root + path, 'utf8').matchAll(/ \* @example\n(.*?)\*\//gs)])
      .map((match) => `{\n${(match[1] ?? '').replace(/^ \* ?/gm, '')}}`);
    expect(examples).to.have.length(5);
    expect(compilerFaults([NAMES, ...examples].join('\n'))).to.equal('');
  });
});
