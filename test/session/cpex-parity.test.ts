import { expect } from 'chai';
import type { Request } from 'express';
import { subjectSession } from '../../lib/index.js';
import { sha256Hex } from '../../lib/session/digest.js';
import { PARITY_VECTORS } from '../support/parity-vectors.js';
import { sessionFor } from '../support/resolve-session.js';

/** The titles are the names of CPEX's own tests of its session resolver. */
describe('subjectSession resolves what CPEX resolves', () => {
  for (const { name, given, id, key, source } of PARITY_VECTORS) {
    it(`the vector "${name}": session id, source and key`, () => {
      const session = sessionFor(given);
      expect(session).to.deep.equal({ id, source });
      expect(`taint:v1:${sha256Hex(session?.id ?? '')}`).to.equal(key);
    });
  }

  const identity = { caller: 'agent-007', gateway: 'praxis-gateway' };

  it('tier0_agent_session_id_is_subject_bound', () => {
    expect(sessionFor({ subject: 'alice', sessionId: 'sess-upstream' })?.id)
      .to.match(/^[0-9a-f]{16}$/)
      .and.equal(sha256Hex('alice:sess-upstream').slice(0, 16))
      .and.not.equal(sha256Hex('sess-upstream').slice(0, 16));
  });

  it('tier0_same_session_id_different_subjects_are_distinct', () => {
    const sessionId = 'shared-sid';
    expect(sessionFor({ subject: 'alice', sessionId })).to.not.deep.equal(sessionFor({ subject: 'bob', sessionId }));
  });

  it('tier0_stable_for_same_subject_and_session_id', () => {
    const given = { subject: 'alice', sessionId: 'sess' };
    expect(sessionFor(given)).to.deep.equal(sessionFor(given)).and.include({ source: 'agent' });
  });

  it('tier0_no_subject_falls_through', () => {
    expect(sessionFor({ sessionId: 'sess' })).to.equal(undefined);
  });

  it('tier0_skips_empty_agent_session_id', () => {
    expect(sessionFor({ subject: 'alice', sessionId: '', claim: 'sess' })).to.include({ source: 'token_claim' });
    expect(sessionFor({ subject: 'alice', sessionId: '' })).to.include({ source: 'identity' });
  });

  it('tier0_wins_over_token_claim', () => {
    const agent = { subject: 'alice', sessionId: 'sess-a' };
    expect(sessionFor({ ...agent, claim: 'sess-b' })).to.deep.equal(sessionFor(agent));
  });

  it('tier0_wins_over_identity', () => {
    const agent = { subject: 'alice', sessionId: 'sess-a' };
    expect(sessionFor({ ...agent, ...identity })).to.deep.equal(sessionFor(agent));
  });

  it('tier1_token_claim_hits_when_session_id_claim_present', () => {
    expect(sessionFor({ subject: 'alice@corp.com', claim: 'sess-from-token-789' })).to.deep.equal({
      id: '8d5f3cd4ba1174e4',
      source: 'token_claim',
    });
  });

  it('tier1_skips_empty_session_id_claim', () => {
    expect(sessionFor({ subject: 'alice', claim: '' })).to.deep.equal(sessionFor({ subject: 'alice' }));
  });

  it('tier1_same_session_id_claim_different_subjects_are_distinct', () => {
    const claim = 'sess';
    expect(sessionFor({ subject: 'alice', claim })).to.not.deep.equal(sessionFor({ subject: 'bob', claim }));
  });

  it('tier1_stable_for_same_subject_and_session_id_claim', () => {
    const given = { subject: 'alice', claim: 'sess' };
    expect(sessionFor(given)).to.deep.equal(sessionFor(given)).and.include({ source: 'token_claim' });
  });

  it('tier1_no_subject_id_falls_through', () => {
    expect(sessionFor({ claim: 'sess' })).to.equal(undefined);
  });

  it('tier1_wins_over_identity', () => {
    const claimed = { subject: 'alice', claim: 'sess' };
    expect(sessionFor({ ...claimed, ...identity })).to.deep.equal(sessionFor(claimed));
  });

  it('tier2_identity_derived_when_no_claim', () => {
    expect(sessionFor({ subject: 'alice@corp.com', ...identity })).to.deep.equal({
      id: 'a0cd6df24fe19df1',
      source: 'identity',
    });
  });

  it('tier2_identity_is_stable_across_calls', () => {
    const given = { subject: 'alice@corp.com', ...identity };
    expect(sessionFor(given)).to.deep.equal(sessionFor(given));
  });

  it('tier2_distinguishes_different_users', () => {
    expect(sessionFor({ subject: 'alice', ...identity })).to.not.deep.equal(
      sessionFor({ subject: 'bob', ...identity }),
    );
  });

  it('tier2_distinguishes_different_agents', () => {
    const given = { subject: 'alice', ...identity };
    expect(sessionFor(given)).to.not.deep.equal(sessionFor({ ...given, caller: 'agent-008' }));
  });

  it('tier3_no_session_when_no_data', () => {
    expect(sessionFor({})).to.equal(undefined);
  });

  it('tier3_no_session_when_no_subject_id', () => {
    expect(sessionFor({ sessionId: 'sess', claim: 'sess', ...identity })).to.equal(undefined);
  });

  it('separator_format_collides_when_subject_contains_colon', () => {
    expect(sessionFor({ subject: 'alice:foo', sessionId: 'bar' })).to.deep.equal(
      sessionFor({ subject: 'alice', sessionId: 'foo:bar' }),
    );
  });

  it('header_x_cpex_session_id_is_ignored', () => {
    const headers = { 'x-cpex-session-id': 'of-somebody-else', 'mcp-session-id': 'chosen' };
    const req = { headers, get: (name: string) => headers[name as keyof typeof headers] } as unknown as Request;
    expect(subjectSession({ subject: () => 'alice' })(req)).to.deep.equal(sessionFor({ subject: 'alice' }));
  });

  for (const [claim, text] of [
    [42, '42'],
    [-1.5, '-1.5'],
    [null, 'null'],
    [true, 'true'],
    [false, 'false'],
    [['a', 1], '["a",1]'],
    [{ b: 1, a: [null, 'é"'] }, '{"a":[null,"é\\""],"b":1}'],
    [{}, '{}'],
  ] as const) {
    it(`a claim that is not a string is its JSON: ${text}`, () => {
      expect(sessionFor({ subject: 'alice', claim })).to.deep.equal(sessionFor({ subject: 'alice', claim: text }));
    });
  }
});
