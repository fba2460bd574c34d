import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { copyHeaders } from '../../lib/node/response-headers.js';

const response = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

/** The same with the documented methods. */
function documented(res: ServerResponse): unknown[] {
  const { getRawHeaderNames } = res as ServerResponse & { getRawHeaderNames(): string[] };
  return getRawHeaderNames.call(res).map((name) => ({ name, value: res.getHeader(name) }));
}

describe('the copy of the headers of a response', () => {
  it('has no header of a new response', () => {
    expect(copyHeaders(response())).to.deep.equal([]);
  });

  it('has the names as they were set, in their order, with their values', () => {
    const res = response();
    res.setHeader('X-Powered-By', 'Express').setHeader('vary', 'origin').setHeader('Content-Length', 7);
    res.setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('2', 'two').setHeader('X-Empty', '');
    res.setHeader('VARY', 'accept').removeHeader('x-powered-by');
    expect(copyHeaders(res)).to.have.lengthOf(5).and.to.deep.equal(documented(res));
  });

  it('G2: does not change when a header is set or appended later', () => {
    const res = response();
    res.setHeader('Set-Cookie', ['a=1']).setHeader('Vary', 'origin');
    const copy = copyHeaders(res);
    res.appendHeader('Set-Cookie', 'b=2').setHeader('Vary', 'accept').setHeader('X-Late', 'late');
    expect(copy).to.deep.equal([
      { name: 'Set-Cookie', value: ['a=1'] },
      { name: 'Vary', value: 'origin' },
    ]);
  });
});
