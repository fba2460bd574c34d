import { expect } from 'chai';
import type { LabelOrigin, SessionStore } from '../../lib/index.js';
import type { KnownSession } from '../../lib/known-sessions/known-session.js';
import { KnownSessions } from '../../lib/known-sessions/known-sessions.js';
import { LabelAppends } from '../../lib/known-sessions/label-appends.js';
import type { SessionMember } from '../../lib/known-sessions/session-member.js';
import { Deadlines, type TimedCall } from '../../lib/util/deadlines.js';
import { type Deferred, deferred } from '../support/deferred.js';
import { eventually, rejectionOf, thrownBy } from '../support/eventually.js';

/** A store whose appends settle when the test says so. */
class ScriptedAppends implements SessionStore {
  readonly appends: Array<readonly string[]> = [];
  readonly #verdicts: Deferred<void>[] = [];
  readonly ttlSeconds: number | undefined;

  constructor(ttlSeconds?: number) {
    this.ttlSeconds = ttlSeconds;
  }

  async loadLabels(): Promise<string[]> {
    return [];
  }

  appendLabels(_id: string, labels: readonly string[]): Promise<void> {
    this.appends.push(labels);
    const verdict = deferred<void>();
    this.#verdicts.push(verdict);
    return verdict.promise;
  }

  async succeed(): Promise<void> {
    await eventually(() => this.#verdicts.length > 0);
    this.#verdicts.shift()?.resolve();
    await new Promise(setImmediate);
  }

  async fail(): Promise<void> {
    await eventually(() => this.#verdicts.length > 0);
    this.#verdicts.shift()?.reject(new Error('append failed'));
    await new Promise(setImmediate);
  }
}

class Member implements SessionMember {
  readonly received: string[] = [];
  settled = 0;
  failures = 0;
  origins = 0;
  room = true;
  readonly #deadlines = new Deadlines(60_000, () => new Error('too late'));

  append(call: TimedCall<void>): void {
    this.#deadlines.run(call);
  }

  inContext(callback: () => void): void {
    callback();
  }

  keepContext(): void {}

  forOwed(): SessionMember {
    return this;
  }

  assertRoom(): void {
    if (!this.room) throw new Error('full');
  }

  originOf(by?: string): LabelOrigin {
    this.origins += 1;
    return { atMs: this.origins, ...(by !== undefined && { by }) };
  }

  onLabel(label: string): void {
    this.received.push(label);
  }

  onSettled(): void {
    this.settled += 1;
  }

  onAppendFailed(): void {
    this.failures += 1;
  }
}

const LIMIT = 10;

describe('KnownSession', () => {
  let store: ScriptedAppends;
  let sessions: KnownSessions;
  beforeEach(() => {
    store = new ScriptedAppends();
    sessions = KnownSessions.of(store);
  });

  function joined(id = 's'): { session: KnownSession; member: Member } {
    const member = new Member();
    return { session: sessions.join(id, member, LIMIT), member };
  }

  it('members of one session share an object, others have their own', () => {
    const { session } = joined();
    expect(joined().session).to.equal(session);
    expect(joined('other').session).not.to.equal(session);
    expect(KnownSessions.of(store)).to.equal(sessions);
    const elsewhere = KnownSessions.of(new ScriptedAppends()).join('s', new Member(), LIMIT);
    expect(elsewhere).not.to.equal(session);
  });

  it('G1: all members have a new label at once, pending until it is stored', async () => {
    const { session, member } = joined();
    const other = joined().member;
    session.add('secret', member);
    expect([member.received, other.received]).to.deep.equal([[], ['secret']]);
    expect(session).to.include({ unsettled: true, unacknowledged: true, owes: false });
    session.settle(other);
    expect(store.appends).to.deep.equal([['secret']]);
    await store.succeed();
    expect(session).to.include({ unsettled: false, unacknowledged: false });
    expect([member.settled, other.settled]).to.deep.equal([1, 1]);
    expect([...session.labels()]).to.deep.equal(['secret']);
  });

  it('labels added during an append go together into the next one', async () => {
    const { session, member } = joined();
    session.add('a', member);
    session.settle(member);
    session.add('b', member);
    session.add('c', member);
    session.settle(member);
    await store.succeed();
    expect(member.settled).to.equal(0);
    await store.succeed();
    expect(store.appends).to.deep.equal([['a'], ['b', 'c']]);
    expect(member.settled).to.equal(1);
  });

  it('adding a label takes constant time', () => {
    const { session, member } = joined();
    const { labels } = LabelAppends.prototype;
    let compared = 0;
    LabelAppends.prototype.labels = function* () {
      for (const label of labels.call(this)) {
        compared += 1;
        yield label;
      }
    };
    try {
      for (let n = 0; n < 5_000; n++) session.add(`label-${n}`, member);
      session.add('label-0', member);
      expect(compared).to.equal(0);
      expect([...session.labels()]).to.have.length(5_000);
      expect(compared).to.equal(5_000);
    } finally {
      LabelAppends.prototype.labels = labels;
    }
  });

  it('two members that add the same label cost one append', async () => {
    const { session, member } = joined();
    const other = joined().member;
    session.add('a', member);
    session.add('a', other);
    session.settle(member);
    session.settle(other);
    await store.succeed();
    session.add('a', other);
    session.settle(other);
    expect(store.appends).to.deep.equal([['a']]);
  });

  it('G7: a label whose append failed is reported and tried again later', async () => {
    const { session, member } = joined();
    const other = joined().member;
    session.add('a', member);
    session.settle(other);
    await store.fail();
    expect(session).to.include({ unsettled: false, unacknowledged: true, owes: true });
    expect([member.failures, other.failures, member.settled, other.settled]).to.deep.equal([1, 0, 1, 1]);
    session.add('b', other);
    session.settle(other);
    await store.succeed();
    expect(store.appends).to.deep.equal([['a'], ['a', 'b']]);
    expect(session.unacknowledged).to.equal(false);
  });

  it('G7: owed labels survive the last member', async () => {
    const { session, member } = joined();
    session.add('a', member);
    session.leave(member);
    await store.fail();
    const { session: again, member: next } = joined();
    expect(again).to.equal(session);
    const persisted = again.onLoad(next);
    expect(store.appends).to.deep.equal([['a'], ['a']]);
    await store.succeed();
    await persisted;
    expect(persisted).to.be.instanceOf(Promise);
    expect(store.appends).to.have.length(2);
  });

  it('a load with owed labels is refused if the append fails again', async () => {
    const { session, member } = joined();
    session.add('a', member);
    session.settle(member);
    await store.fail();
    const { member: next } = joined();
    const refused = rejectionOf(session.onLoad(next) as Promise<void>);
    await store.fail();
    expect(await refused).to.include({ code: 'session.persist_failed' });
    expect(session.owes).to.equal(true);
  });

  it('persist() resolves when nothing is pending, and rejects on failure', async () => {
    const { session, member } = joined();
    await session.persist(member);
    expect(store.appends).to.deep.equal([]);
    session.add('a', member);
    const first = rejectionOf(session.persist(member));
    await store.fail();
    expect(await first).to.include({ code: 'session.persist_failed' });
    const second = session.persist(member);
    session.add('b', member);
    await store.succeed();
    await store.succeed();
    await second;
    expect(store.appends).to.deep.equal([['a'], ['a'], ['b']]);
  });

  it('G7: labels of a member that leaves before a hold are appended', async () => {
    const { session, member } = joined();
    session.add('a', member);
    expect(store.appends).to.deep.equal([]);
    session.leave(member);
    expect(store.appends).to.deep.equal([['a']]);
    await store.succeed();
  });

  it('G7: a label added after the session has ended goes to the current one', async () => {
    const { session, member } = joined();
    session.leave(member);
    const { session: current, member: other } = joined();
    expect(current).not.to.equal(session);
    expect(session.add('late', member)).to.equal(current);
    expect(other.received).to.deep.equal(['late']);
    current.settle(member);
    await store.succeed();
    expect(member.settled).to.equal(1);
  });

  it('a store cannot empty the list that it is given', async () => {
    const { session, member } = joined();
    session.add('a', member);
    session.settle(member);
    expect(() => (store.appends[0] as string[]).pop()).to.throw(TypeError);
    await store.succeed();
  });

  it('an append beyond the limit is not sent, and the labels stay owed', async () => {
    const { session, member } = joined();
    member.room = false;
    session.add('a', member);
    session.settle(member);
    await eventually(() => member.failures === 1);
    expect(store.appends).to.deep.equal([]);
    expect(session.owes).to.equal(true);
  });

  describe('memory of recent sessions', () => {
    /** Begins a load. Returns what `onLoaded` needs. */
    function loadOf(session: KnownSession, member: Member): number {
      expect(session.onLoad(member)).to.equal(undefined);
      return session.knownCount;
    }

    async function acknowledged(label: string): Promise<KnownSession> {
      const { session, member } = joined();
      session.add(label, member);
      session.leave(member);
      await store.succeed();
      return session;
    }

    it('G5: a label lost by the store is in the session, and appended again', async () => {
      const session = await acknowledged('a');
      const { session: again, member } = joined();
      expect(again).to.equal(session);
      expect([...again.labels()]).to.deep.equal(['a']);
      expect(again.onLoad(member)).to.equal(undefined);
      expect(again.onLoaded(member, again.knownCount, ['other'])).to.equal(1);
      const persisted = again.persist(member);
      await store.succeed();
      await persisted;
      expect(store.appends).to.deep.equal([['a'], ['a']]);
    });

    it('a label that the load returns is not appended again', async () => {
      await acknowledged('a');
      const { session, member } = joined();
      expect(session.onLoaded(member, loadOf(session, member), ['a'])).to.equal(0);
      expect(session.unacknowledged).to.equal(false);
    });

    it('G5: a label that an earlier load has returned is appended again', async () => {
      const { session, member } = joined();
      expect(session.onLoaded(member, loadOf(session, member), ['a', 'b'])).to.equal(0);
      session.leave(member);
      const { session: again, member: next } = joined();
      expect(again).to.equal(session);
      expect(again.onLoaded(next, loadOf(again, next), ['b'])).to.equal(1);
      expect([...again.labels()]).to.deep.equal(['a']);
      const persisted = again.persist(next);
      await store.succeed();
      await persisted;
      expect(store.appends).to.deep.equal([['a']]);
    });

    it('a load need not return what a later load has returned before it', () => {
      const { session, member } = joined();
      const { member: slow } = joined();
      const began = loadOf(session, slow);
      session.onLoaded(member, loadOf(session, member), ['a']);
      expect(session.onLoaded(slow, began, [])).to.equal(0);
      // but the next load must
      expect(session.onLoaded(member, loadOf(session, member), [])).to.equal(1);
    });

    it('a load that began before the append need not return the label', async () => {
      const { session, member } = joined();
      const { member: loading } = joined();
      const began = loadOf(session, loading);
      session.add('a', member);
      session.settle(member);
      await store.succeed();
      expect(session.onLoaded(loading, began, [])).to.equal(0);
      expect([...session.labels()]).to.deep.equal(['a']);
    });

    it('G5: after the TTL of the store no label is remembered', async () => {
      store = new ScriptedAppends(0.02);
      sessions = KnownSessions.of(store);
      await acknowledged('a');
      const startedMs = performance.now();
      await eventually(() => performance.now() - startedMs > 25);
      const { session, member } = joined();
      expect(session.onLoaded(member, loadOf(session, member), [])).to.equal(0);
      expect([...session.labels()]).to.deep.equal([]);
    });
  });

  describe('owed labels, without a request of their session', () => {
    async function owing(id: string): Promise<KnownSession> {
      const { session, member } = joined(id);
      session.add(`of ${id}`, member);
      session.leave(member);
      await store.fail();
      return session;
    }

    async function acknowledged(label: string): Promise<void> {
      const { session, member } = joined('healthy');
      session.add(label, member);
      session.leave(member);
      await store.succeed();
    }

    it('G7: are appended after a successful append of another session', async () => {
      const session = await owing('a');
      await acknowledged('x');
      expect(store.appends.at(-1)).to.deep.equal(['of a']);
      await store.succeed();
      expect(session.owes).to.equal(false);
    });

    it('waits for a while after it has failed again', async () => {
      await owing('a');
      await acknowledged('x');
      await store.fail();
      const before = store.appends.length;
      for (const label of ['y', 'z']) await acknowledged(label);
      expect(store.appends.slice(before)).to.deep.equal([['y'], ['z']]);
    });

    it('do not block the owed labels of other sessions', async () => {
      await owing('a');
      await acknowledged('x');
      await store.fail();
      const other = await owing('b');
      await acknowledged('y');
      await acknowledged('z');
      expect(store.appends.at(-1)).to.deep.equal(['of b']);
      await store.succeed();
      expect(other.owes).to.equal(false);
    });
  });

  describe('bounded memory', () => {
    it('a session beyond the limit is refused, and no other one is forgotten', async () => {
      const { session: owing, member } = joined('owing');
      owing.add('a', member);
      owing.leave(member);
      await store.fail();
      for (let n = 1; n < LIMIT; n++) joined(`s${n}`);
      const refused = thrownBy(() => joined('one more'));
      expect(refused).to.include({ code: 'session.capacity_exceeded' });
      expect(joined('owing').session).to.equal(owing);
    });

    it('a session that has ended makes room', () => {
      const all = Array.from({ length: LIMIT }, (_, n) => joined(`s${n}`));
      for (const { session, member } of all) session.leave(member);
      for (let n = 0; n < LIMIT; n++) joined(`t${n}`);
    });

    it('the 10,000 sessions that were used last are remembered, and no other', () => {
      const useOnce = (id: string): void => {
        const { session, member } = joined(id);
        session.onLoad(member);
        session.onLoaded(member, session.knownCount, ['label']);
        session.leave(member);
      };
      const isRemembered = (id: string): boolean => {
        const { session, member } = joined(id);
        const remembered = session.memorable;
        session.leave(member);
        return remembered;
      };
      for (let n = 0; n < 10_000; n++) useOnce(`s${n}`);
      // the oldest session becomes the newest
      useOnce('s0');
      for (let n = 0; n < 5_000; n++) useOnce(`t${n}`);
      expect(['s1', 's5000', 's5001', 's9999', 's0', 't0', 't4999'].map(isRemembered)).to.deep.equal([
        ...[false, false],
        ...[true, true, true, true, true],
      ]);
    });
  });
});
