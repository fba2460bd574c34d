import { expect } from 'chai';
import { Deadlines, withDeadline } from '../../lib/util/deadlines.js';
import { PatientTimer } from '../../lib/util/patient-timer.js';
import { rejectionOf } from '../support/eventually.js';

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const verdictAfter = (ms: number, longestGraceMs: number, meanwhile: () => void): Promise<number> =>
  new Promise((resolve) => {
    const started = performance.now();
    // the timer holds no process
    const hold = setInterval(() => {}, 1_000);
    const timer = new PatientTimer(() => {
      clearInterval(hold);
      resolve(performance.now() - started);
    }, longestGraceMs);
    timer.start(ms);
    setImmediate(meanwhile);
  });

/** The fastest of several rounds: the machine may pause the process, which counts like a block. */
async function fastest(measure: () => Promise<number>): Promise<number> {
  let fastestMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round += 1) fastestMs = Math.min(fastestMs, await measure());
  return fastestMs;
}

describe('PatientTimer', () => {
  it('ends in time when the process is not blocked', async () => {
    expect(await fastest(() => verdictAfter(50, 50, () => {}))).to.be.within(49, 99);
  });

  it('waits as much longer as it was late', async () => {
    // 150 ms late, so 150 ms more
    expect(await fastest(() => verdictAfter(50, 1_000, () => block(200)))).to.be.within(340, 500);
  });

  it('waits no longer than the maximum grace', async () => {
    expect(await fastest(() => verdictAfter(50, 60, () => block(500)))).to.be.within(550, 700);
  });

  it('waits longer a few times only, so that a silent server is noticed', async () => {
    const busy = setInterval(() => block(100), 1);
    const ms = await verdictAfter(50, 100, () => {});
    clearInterval(busy);
    expect(ms).to.be.below(3_000);
  });

  it('does nothing once it was stopped', async () => {
    let verdicts = 0;
    const timer = new PatientTimer(() => {
      verdicts += 1;
    }, 1);
    timer.start(1);
    timer.stop();
    expect(timer.running).to.equal(false);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(verdicts).to.equal(0);
  });
});

describe('a deadline in a process that was blocked', () => {
  const answeredIn = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(resolve, ms, 'answered'));

  it('counts only silence, so a reply during the pause counts', async () => {
    const deadlines = new Deadlines(50, (name) => new Error(name));
    const calls = [
      deadlines.promise('call', () => answeredIn(60)),
      withDeadline(
        () => answeredIn(60),
        50,
        () => new Error('too late'),
      ),
    ];
    block(200);
    expect(await Promise.all(calls)).to.deep.equal(['answered', 'answered']);
  });

  it('a block in the turn of the socket check counts against no call', async () => {
    const deadlines = new Deadlines(50, (name) => new Error(name));
    // starts the timer, which is due in 50 ms
    await deadlines.promise('first', async () => 'answered');
    const outcomes = await new Promise<unknown>((resolve) => {
      // due in the same turn, behind the timer
      setTimeout(() => {
        const calls = Array.from({ length: 3 }, (_, index) => deadlines.promise(`${index}`, () => answeredIn(10)));
        resolve(Promise.all(calls).catch((error: Error) => `call ${error.message} expired`));
        block(100);
      }, 50);
    });
    expect(outcomes).to.deep.equal(['answered', 'answered', 'answered']);
  });

  it('ends a call that is never answered', async () => {
    const deadlines = new Deadlines(50, (name) => new Error(name));
    const hold = setInterval(() => {}, 1_000);
    const call = rejectionOf(deadlines.promise('call', () => new Promise(() => {})));
    block(200);
    expect(await call).to.have.property('message', 'call');
    clearInterval(hold);
  });
});
