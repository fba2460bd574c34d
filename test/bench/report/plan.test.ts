import { expect } from 'chai';
import type { ProcessesResult, ScaleResult } from '../results.js';
import { planScale } from './plan.js';
import { figure, resultsWith } from './results-fixture.js';

function processesOf(name: string, appMicros: number, valkeyMicros: number): ProcessesResult {
  const micros = { appMicros: figure(appMicros, 0, appMicros), valkeyMicros: figure(valkeyMicros, 0, valkeyMicros) };
  return { name, title: name, processes: 1, requestsPerSecond: figure(1), ...micros };
}

function scaleWith(valkeyMicros: number, bytes: number): ScaleResult {
  const processes = [processesOf('valkey-clean', 100, valkeyMicros), processesOf('valkey-taint', 200, valkeyMicros)];
  return { stalls: [], sessionBytes: [{ labels: 5, memory: 0, valkey: bytes }], processes };
}

const plan = (valkeyMicros: number, bytes: number) => planScale(resultsWith({ scale: scaleWith(valkeyMicros, bytes) }));

describe('the plan of docs/scale.md', () => {
  it('needs as many processes as the CPU time of clean and tainting requests takes', () => {
    // 10,000 × 110 µs are 1.1 cores, of which each may be half busy
    expect(plan(10, 100)).to.include({ appMicros: 110, appProcesses: 3 });
  });

  it('takes one primary with Sentinel if the sessions fit into one server', () => {
    const small = plan(10, 100);
    expect(small).to.include({ primaries: 1, topology: 'Sentinel', valkeyCore: 0.1, requestsOfOneServer: 50_000 });
    expect(small?.valkeyGiB).to.be.closeTo(13.97, 0.01);
  });

  it('takes a cluster of at least three primaries if they do not, and more for more memory', () => {
    expect(plan(10, 256)).to.include({ primaries: 3, topology: 'cluster', firstLimit: 'memory' });
    expect(plan(10, 1_024)).to.include({ primaries: 5, topology: 'cluster' });
  });

  it('names the CPU of Valkey if it breaks first', () => {
    expect(plan(90, 100)).to.include({ firstLimit: 'CPU', topology: 'cluster' });
  });

  it('is not made without the figures that it needs', () => {
    expect(planScale(resultsWith({}))).to.equal(undefined);
  });
});
