import { expect } from 'chai';
import type { Alarm } from '../../../lib/index.js';
import { AlarmListeners } from '../../../lib/stores/valkey/alarm-listeners.js';

describe('AlarmListeners', () => {
  const faults: ReadonlyArray<readonly [what: string, listener: () => unknown]> = [
    [
      'throws',
      () => {
        throw new Error('listener');
      },
    ],
    ['rejects', async () => Promise.reject(new Error('listener'))],
  ];
  for (const [what, faulty] of faults) {
    it(`a listener that ${what} does not keep the alarm from the others`, async () => {
      const unhandled: unknown[] = [];
      const note = (error: unknown): void => void unhandled.push(error);
      const heard: Alarm[] = [];
      const listeners = new AlarmListeners();
      listeners.add(() => faulty() as undefined);
      listeners.add((alarm) => heard.push(alarm));
      process.prependListener('unhandledRejection', note);
      try {
        listeners.raise({ alarm: 'session_store_ttl_refresh_failed', error: 'x' });
        await new Promise(setImmediate);
      } finally {
        process.removeListener('unhandledRejection', note);
      }
      expect(heard).to.deep.equal([{ alarm: 'session_store_ttl_refresh_failed', error: 'x' }]);
      expect(heard[0]).to.be.frozen;
      expect(unhandled).to.deep.equal([]);
    });
  }
});
