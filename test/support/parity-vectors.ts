/** How CPEX hashes a session: the hashed text, the session id, the key in Valkey. */
export interface ParityVector {
  readonly name: string;
  readonly hashed: string;
  readonly id: string;
  readonly key: string;
  readonly source: 'agent' | 'token_claim' | 'identity';
  /** What CPEX finds in the request, under the names of `subjectSession`. */
  readonly given: {
    readonly subject: string;
    readonly sessionId?: string;
    readonly claim?: string;
    readonly caller?: string;
    readonly gateway?: string;
  };
}

const key = (digest: string): string => `taint:v1:${digest}`;

export const PARITY_VECTORS: readonly ParityVector[] = [
  {
    name: 'agent alice/sess-upstream',
    hashed: 'alice:sess-upstream',
    id: '68755f41a98324d6',
    key: key('6c823161964345b5bfe32e89e4e98b811cf5e0ffcd8317b6cd6367ca80d75da0'),
    source: 'agent',
    given: { subject: 'alice', sessionId: 'sess-upstream' },
  },
  {
    name: 'agent alice/shared-sid',
    hashed: 'alice:shared-sid',
    id: '93e3370ecb807dc0',
    key: key('b15d20d4560ab4b9b35996e4d16bbf0d0d1c0a2e8118a4ed7918d3c33467fe35'),
    source: 'agent',
    given: { subject: 'alice', sessionId: 'shared-sid' },
  },
  {
    name: 'agent bob/shared-sid',
    hashed: 'bob:shared-sid',
    id: '1212a94ad7bcde41',
    key: key('aa593ab80ecd44ea6847914650386d46d46643bbd0e77d058e01f421fdb3233e'),
    source: 'agent',
    given: { subject: 'bob', sessionId: 'shared-sid' },
  },
  {
    name: 'claim',
    hashed: 'alice@corp.com:sess-from-token-789',
    id: '8d5f3cd4ba1174e4',
    key: key('569fe7ae0dcb6cbdf6cb4cc3918d2f8251f49ff253bdf87ea9a32c295d4fb448'),
    source: 'token_claim',
    given: { subject: 'alice@corp.com', claim: 'sess-from-token-789' },
  },
  {
    name: 'identity full',
    hashed: 'alice@corp.com:agent-007:praxis-gateway',
    id: 'a0cd6df24fe19df1',
    key: key('337beac504b669ba5923b1e0d52d8634b11e7cbedea43b029bae54526cce56d1'),
    source: 'identity',
    given: { subject: 'alice@corp.com', caller: 'agent-007', gateway: 'praxis-gateway' },
  },
  {
    name: 'identity, subject only',
    hashed: 'alice:-:-',
    id: 'ba39ffa8b6f918b2',
    key: key('855912aa9820fe0a7b54da2cbc5456b801313979c103c5420c8320ad1710b2b9'),
    source: 'identity',
    given: { subject: 'alice' },
  },
  {
    name: 'identity, subject and actor',
    hashed: 'alice:agent-a:-',
    id: 'b768fff9daf02f72',
    key: key('aee4ceaa39ee5e5cb459017c620ab69168c96f7b8f1ff2054759f3684ef70814'),
    source: 'identity',
    given: { subject: 'alice', caller: 'agent-a' },
  },
  {
    name: 'UTF-8',
    hashed: 'zoë:séance-✓',
    id: '768c04e95695ece8',
    key: key('91546dc0632fc65322e7f60f172723d70e849e0a65a6712bb26d0ae5ec359085'),
    source: 'agent',
    given: { subject: 'zoë', sessionId: 'séance-✓' },
  },
];
