import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import { NextTurn } from '../../lib/util/next-turn.js';

describe('NextTurn', () => {
  it('callers of one turn share a wait, and later callers share another', async () => {
    const turn = new NextTurn();
    const first = turn.wait();
    expect(turn.wait()).to.equal(first);
    expect(new NextTurn().wait()).to.not.equal(first);
    await first;
    expect(turn.wait()).to.not.equal(first);
  });

  it('ends after the callbacks of the current turn', async () => {
    const events: string[] = [];
    const waited = new NextTurn().wait().then(() => events.push('next turn'));
    process.nextTick(() => events.push('tick'));
    Promise.resolve().then(() => events.push('microtask'));
    await waited;
    expect(events).to.have.members(['tick', 'microtask', 'next turn']);
    expect(events.at(-1)).to.equal('next turn');
  });

  it('resumes each caller in its own asynchronous context', async () => {
    const turn = new NextTurn();
    const storage = new AsyncLocalStorage<number>();
    const resumed = [1, 2].map((id) => storage.run(id, () => turn.wait().then(() => storage.getStore())));
    expect(await Promise.all(resumed)).to.deep.equal([1, 2]);
  });
});
