import type { ServerAddress } from '../config/server-list.js';
import { DialError } from '../connection/valkey-source.js';
import type { Sentinel } from './sentinel.js';

export function nameOf({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

interface Outcome {
  /** The address that the majority of all Sentinels names. */
  readonly winner?: ServerAddress;
  /** The address that each Sentinel with an answer names, in the order of the Sentinels. */
  readonly named: readonly ServerAddress[];
  /** The most useful error of a Sentinel. */
  readonly failure: unknown;
}

/**
 * Asks all Sentinels at the same time. A Sentinel that hangs or has outdated information costs no time while the others
 * agree. Without a majority this waits for all answers and returns the address with most votes; of several, the first
 * one that is not `lastTried`. Rejects with the error of a Sentinel if no Sentinel names an address.
 */
export async function electedPrimary(sentinels: readonly Sentinel[], lastTried: string): Promise<ServerAddress> {
  const { winner, named, failure } = await vote(sentinels.map((sentinel) => sentinel.primary()));
  if (winner) return winner;
  const most = Math.max(...named.map((address) => votesFor(address, named)));
  const leaders = named.filter((address) => votesFor(address, named) === most);
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
    const byIndex: Array<ServerAddress | undefined> = answers.map(() => undefined);
    let failure: unknown;
    let pending = answers.length;
    const named = (): ServerAddress[] => byIndex.filter((address) => address !== undefined);
    for (const [index, answer] of answers.entries()) {
      const count = (address: ServerAddress | undefined): void => {
        byIndex[index] = address;
        const hasMajority = address && votesFor(address, named()) > answers.length / 2;
        if (hasMajority) resolve({ winner: address, named: named(), failure });
      };
      const fail = (error: unknown): void => {
        failure = moreUseful(failure, error);
      };
      answer.then(count, fail).finally(() => {
        pending -= 1;
        if (pending === 0) resolve({ named: named(), failure });
      });
    }
  });
}

function votesFor(address: ServerAddress, named: readonly ServerAddress[]): number {
  return named.filter((other) => nameOf(other) === nameOf(address)).length;
}

/** A refused password is more useful to an operator than a Sentinel that is down. */
function moreUseful(known: unknown, error: unknown): unknown {
  const code = error instanceof DialError ? error.failure.code : undefined;
  return known === undefined || code !== 'store.unavailable' ? error : known;
}
