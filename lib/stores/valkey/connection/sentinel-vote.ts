import type { ServerAddress } from '../config/server-list.js';
import type { Sentinel } from './sentinel.js';
import { DialError } from './valkey-source.js';

export function nameOf({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

interface Candidate {
  readonly address: ServerAddress;
  votes: number;
}

interface Outcome {
  /** The address that the majority of all Sentinels names. */
  readonly winner?: ServerAddress;
  readonly candidates: readonly Candidate[];
  /** The most useful error of a Sentinel. */
  readonly failure: unknown;
}

/**
 * Asks all Sentinels at the same time. A Sentinel that hangs or has outdated information costs no time while the others
 * agree. Without a majority this waits for all answers and returns the address with most votes; of several, one that is
 * not `lastTried`. Rejects with the error of a Sentinel if no Sentinel names an address.
 */
export async function electedPrimary(sentinels: readonly Sentinel[], lastTried: string): Promise<ServerAddress> {
  const { winner, candidates, failure } = await vote(sentinels.map((sentinel) => sentinel.primary()));
  if (winner) return winner;
  const most = Math.max(...candidates.map(({ votes }) => votes));
  const leaders = candidates.filter(({ votes }) => votes === most).map(({ address }) => address);
  const elected = leaders.find((address) => nameOf(address) !== lastTried) ?? leaders[0];
  if (!elected) throw failure;
  return elected;
}

/** The address that the majority of all Sentinels names now. Does not wait for Sentinels without a connection. */
export async function agreedPrimary(sentinels: readonly Sentinel[]): Promise<ServerAddress | undefined> {
  return (await vote(sentinels.map((sentinel) => sentinel.primaryNow()))).winner;
}

/** Resolves when one address has the majority, or when all answers are there. */
function vote(answers: ReadonlyArray<Promise<ServerAddress | undefined>>): Promise<Outcome> {
  return new Promise((resolve) => {
    const candidates = new Map<string, Candidate>();
    let failure: unknown;
    let pending = answers.length;
    const count = (address: ServerAddress | undefined): void => {
      if (!address) return;
      const candidate = candidates.get(nameOf(address)) ?? { address, votes: 0 };
      candidates.set(nameOf(address), candidate);
      candidate.votes += 1;
      if (candidate.votes > answers.length / 2) resolve({ winner: address, candidates: [candidate], failure });
    };
    const fail = (error: unknown): void => {
      failure = moreUseful(failure, error);
    };
    for (const answer of answers) {
      answer.then(count, fail).finally(() => {
        pending -= 1;
        if (pending === 0) resolve({ candidates: [...candidates.values()], failure });
      });
    }
  });
}

/** A refused password is more useful to an operator than a Sentinel that is down. */
function moreUseful(known: unknown, error: unknown): unknown {
  const code = error instanceof DialError ? error.failure.code : undefined;
  return known === undefined || code !== 'store.unavailable' ? error : known;
}
