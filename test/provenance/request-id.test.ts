import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Request } from 'express';
import { defaultRequestId, requestIdOf } from '../../lib/provenance/request-id.js';

describe('id of a request', () => {
  const req = (id?: unknown): Request => ({ id }) as unknown as Request;

  it('is req.id by default, also if it is a number', () => {
    expect(requestIdOf(req('r-1'), defaultRequestId)).to.equal('r-1');
    expect(requestIdOf(req(7), defaultRequestId)).to.equal('7');
    expect(requestIdOf(req(), defaultRequestId)).to.equal(undefined);
    expect(requestIdOf(req({ toString: () => 'x' }), defaultRequestId)).to.equal(undefined);
  });

  for (const [what, id] of [
    ['empty', ''],
    ['longer than 128 characters', 'x'.repeat(129)],
    ['text with a space', 'a b'],
    ['text with a line feed', 'a\nb'],
    ['text beyond ASCII', 'é'],
    ['not a text', 5],
  ] as const) {
    it(`no id if the value is ${what}`, () => {
      expect(requestIdOf(req(), () => id as string)).to.equal(undefined);
    });
  }

  it('no id if it is a promise, whose rejection is ignored', async () => {
    const rejects = async (): Promise<string> => {
      throw new Error('no id');
    };
    expect(requestIdOf(req(), rejects as unknown as () => string)).to.equal(undefined);
    // mocha fails for a rejection that nothing handles
    await nextTurn();
  });

  it('no id if the function throws', () => {
    const requestId = (): string => {
      throw new Error('no id');
    };
    expect(requestIdOf(req(), requestId)).to.equal(undefined);
  });
});
