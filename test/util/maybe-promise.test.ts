import { expect } from 'chai';
import { whenSettled } from '../../lib/util/maybe-promise.js';
import { rejectionOf } from '../support/eventually.js';

describe('whenSettled', () => {
  it('calls next synchronously for a value, and does not catch its error', () => {
    expect(whenSettled(1, (value) => value + 1)).to.equal(2);
    const fail = (): never => {
      throw new Error('next failed');
    };
    expect(() => whenSettled(1, fail, () => 0)).to.throw('next failed');
  });

  it('calls next later for a promise, and onError for a rejection', async () => {
    expect(await whenSettled(Promise.resolve(1), (value) => value + 1)).to.equal(2);
    const failing: Promise<number> = Promise.reject(new Error('no'));
    expect(await whenSettled(failing, String, (error) => (error as Error).message)).to.equal('no');
    expect(await rejectionOf(Promise.resolve(whenSettled(Promise.reject(new Error('no')), String)))).to.be.an('error');
  });

  it('calls next once and later for a thenable that calls back twice and at once', async () => {
    let calls = 0;
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable of another library
      then(resolve: (value: number) => void): void {
        resolve(1);
        resolve(2);
      },
    } as unknown as PromiseLike<number>;
    const done = whenSettled(thenable, () => {
      calls += 1;
    });
    expect(calls).to.equal(0);
    await done;
    expect(calls).to.equal(1);
  });
});
