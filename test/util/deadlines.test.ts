import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import { Deadlines, type TimedCall } from '../../lib/util/deadlines.js';
import { eventually } from '../support/eventually.js';

describe('Deadlines', () => {
  const neverSettled = (name: string, onError: (error: unknown) => void): TimedCall<never> => ({
    name,
    start: () => new Promise(() => {}),
    onValue: () => {},
    onError,
  });

  it('G2: a callback that throws does not stop the deadlines behind it', async () => {
    const thrown: unknown[] = [];
    const failed: string[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error.message));
    try {
      const deadlines = new Deadlines(1, (name) => new Error(name));
      const onError = (error: unknown): void => {
        failed.push((error as Error).message);
        if (failed.length === 1) throw new Error('broken');
      };
      for (const name of ['first', 'second', 'third']) deadlines.run(neverSettled(name, onError));
      await eventually(() => failed.length === 3);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    expect(failed).to.deep.equal(['first', 'second', 'third']);
    expect(thrown).to.deep.equal(['broken']);
  });

  it('a call that begins when another one expires has its own deadline', async () => {
    const failed: string[] = [];
    const deadlines = new Deadlines(1, (name) => new Error(name));
    const again = (error: unknown): void => {
      failed.push((error as Error).message);
      if (failed.length < 3) deadlines.run(neverSettled(`${failed.length}`, again));
    };
    deadlines.run(neverSettled('0', again));
    await eventually(() => failed.length === 3);
    expect(failed).to.deep.equal(['0', '1', '2']);
  });

  it('G6: calls that expire together keep their asynchronous contexts', async () => {
    const context = new AsyncLocalStorage<string>();
    const ended: unknown[] = [];
    const deadlines = new Deadlines(1, (name) => new Error(name));
    for (const name of ['first', 'second', 'third']) {
      context.run(name, () => deadlines.run(neverSettled(name, () => ended.push(context.getStore()))));
    }
    await eventually(() => ended.length === 3);
    expect(ended).to.deep.equal(['first', 'second', 'third']);
  });

  it('idle() waits for all calls, also those that begin meanwhile', async () => {
    const deadlines = new Deadlines(60_000, (name) => new Error(name));
    const settled: string[] = [];
    const settling = (name: string, then: () => void): TimedCall<void> => ({
      name,
      start: async () => {},
      onValue: () => {
        settled.push(name);
        then();
      },
      onError: () => {},
    });
    await deadlines.idle();
    deadlines.run(settling('one', () => deadlines.run(settling('two', () => {}))));
    await deadlines.idle();
    expect(settled).to.deep.equal(['one', 'two']);
  });
});
