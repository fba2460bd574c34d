import { expect } from 'chai';
import type { KnownSession } from '../../lib/known-sessions/known-session.js';
import { RepeatedAppends } from '../../lib/known-sessions/repeated-appends.js';
import type { TimedCall } from '../../lib/util/deadlines.js';

describe('RepeatedAppends', () => {
  it('G5: appends all sessions, also beyond many without labels, with at most 32 in flight', () => {
    const calls: Array<TimedCall<void>> = [];
    const repeats = new RepeatedAppends((call) => void calls.push(call));
    const sessionWith = (labels: readonly string[]): KnownSession =>
      ({ storedLabels: () => labels, isRecent: true }) as unknown as KnownSession;
    repeats.start(Array.from({ length: 300 }, (_, n) => sessionWith(n % 3 === 0 ? ['a'] : [])));
    expect(calls).to.have.length(32);
    // each settled append makes room for another one; a failed one too
    for (let n = 0; n < calls.length; n += 1) n % 2 === 0 ? calls[n]?.onValue() : calls[n]?.onError(new Error('down'));
    expect(calls).to.have.length(100);
  });
});
