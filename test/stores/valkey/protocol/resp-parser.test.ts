import { expect } from 'chai';
import fc from 'fast-check';
import { ErrorReply, type Reply, RespParser, StatusReply } from '../../../../lib/stores/valkey/protocol/resp-parser.js';

const textOf = (reply: Reply): string => {
  if (reply === null) return '$-1\r\n';
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  if (reply instanceof StatusReply) return `+${reply.text}\r\n`;
  if (reply instanceof ErrorReply) return `-${reply.text}\r\n`;
  return `*${reply.length}\r\n${reply.map(textOf).join('')}`;
};

function parsed(chunks: readonly Buffer[]): Reply[] {
  const replies: Reply[] = [];
  const parser = new RespParser((reply) => replies.push(reply));
  for (const chunk of chunks) parser.write(chunk);
  return replies;
}

describe('RespParser', () => {
  const line = fc.string().map((text) => text.replace(/[\r\n]/g, ' '));
  const reply: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
    reply: fc.oneof(
      { maxDepth: 3 },
      fc.string({ unit: 'grapheme' }),
      fc.constant('\r\n$3\r\nabc\r\n'),
      fc.constant(null),
      fc.integer(),
      line.map((text) => new StatusReply(text)),
      line.map((text) => new ErrorReply(text)),
      fc.array(tie('reply'), { maxLength: 4 }),
    ),
  })).reply;

  it('reads what was written, in any segments', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 5 }), fc.array(fc.nat()), (replies, cuts) => {
        const bytes = Buffer.from(replies.map(textOf).join(''));
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(parsed(chunks)).to.deep.equal(replies);
        expect(parsed([...bytes].map((byte) => Buffer.of(byte)))).to.deep.equal(replies);
      }),
    );
  });

  it('reads a set of many members in linear time', () => {
    const members = Array.from({ length: 200_000 }, (_, index) => `member-${index}`);
    const bytes = Buffer.from(textOf(members));
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1_000) chunks.push(bytes.subarray(at, at + 1_000));
    const started = performance.now();
    expect(parsed(chunks)[0]).to.have.length(200_000);
    expect(performance.now() - started).to.be.below(2_000);
  });

  for (const text of [
    '%1\r\n+a\r\n+b\r\n',
    '>2\r\n+a\r\n+b\r\n',
    '~1\r\n+a\r\n',
    '_\r\n',
    '#t\r\n',
    ',1.5\r\n',
    'HTTP/1.1 200 OK\r\n',
    '\r\n',
    ':\r\n',
    ':1a\r\n',
    ':1234567890123456\r\n',
    ':-\r\n',
    '$-2\r\n',
    '$3\r\nabcd\r\n',
    '$536870913\r\n',
    '*-2\r\n',
    '*1234567890123456\r\n',
    '+a\rb\r\n',
    `${'*1\r\n'.repeat(9)}:1\r\n`,
    `+${'a'.repeat(70_000)}`,
  ]) {
    it(`rejects ${JSON.stringify(text.slice(0, 30))}, and does not repeat it`, () => {
      expect(() => parsed([Buffer.from(text)])).to.throw(/^The server did not answer in RESP2\.$/);
    });
  }

  it('emits nothing after it was stopped', () => {
    const replies: Reply[] = [];
    const parser = new RespParser((each) => {
      replies.push(each);
      parser.stop();
    });
    parser.write(Buffer.from(':1\r\n:2\r\n'));
    parser.write(Buffer.from(':3\r\n'));
    expect(replies).to.deep.equal([1]);
  });
});
