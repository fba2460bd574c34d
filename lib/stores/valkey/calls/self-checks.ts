import type { Alarm } from '../../../contract/alarms.js';
import type { StoreCheckOptions } from '../../../contract/session-store.js';
import type { StoreFinding } from '../../../contract/store-status.js';
import { now } from '../../../util/clock.js';
import type { ValkeyDurability } from '../config/valkey-durability.js';
import type { ValkeyLink } from '../connection/valkey-link.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { checkServer, combinedCheck, type SelfCheckAlarm, type ServerCheck } from './check-server.js';
import type { ValkeyCaller } from './valkey-caller.js';

/** A kind of warning that was raised. */
interface Raised {
  readonly sinceMs: number;
  /** How many alarms were raised. */
  count: number;
}

/** The self-checks of the primaries. Raises warnings that are new, and tells which ones are mended. */
export class SelfChecks {
  readonly #link: ValkeyLink;
  readonly #raise: (alarm: Alarm) => void;
  /** The last check of each primary. */
  readonly #checks = new Map<string, ServerCheck>();
  readonly #durability: ValkeyDurability | undefined;
  /** The connections of calls: the names of their servers, and the connections without confirmations. */
  readonly #connections = new WeakMap<ValkeyAsker, { readonly server: string; readonly wire: ValkeyAsker }>();
  readonly #raised = new Map<SelfCheckAlarm['alarm'], Raised>();

  constructor(link: ValkeyLink, durability: ValkeyDurability | undefined, raise: (alarm: Alarm) => void) {
    this.#link = link;
    this.#durability = durability;
    this.#raise = raise;
  }

  get findings(): readonly StoreFinding[] {
    return this.#combined().findings;
  }

  /** Checks the server of a new connection. If that fails, the next connection repeats it. */
  onConnected(wire: ValkeyAsker, server: string, calls: ValkeyAsker): void {
    this.#connections.set(calls, { server, wire });
    checkServer(wire, this.#durability).then(
      (check) => this.#note([{ server, check }]),
      () => {},
    );
  }

  /** Checks every primary. */
  async run(caller: ValkeyCaller, { repeatAlarms }: Required<StoreCheckOptions>): Promise<readonly StoreFinding[]> {
    const command = async (calls: ValkeyAsker) => {
      // a server whose replicas do not confirm must be checked as well
      const { server, wire } = this.#connections.get(calls) ?? { server: undefined, wire: calls };
      return { server, check: await checkServer(wire, this.#durability) };
    };
    const link = this.#link;
    const checkFor = (key: string) => caller.call({ name: 'check', link, key, command });
    // the primaries of a cluster are known after the first call
    const first = await caller.call({ name: 'check', link, command });
    const checked = [first, ...(await Promise.all((link.keyOfEachPrimary?.() ?? []).map(checkFor)))];
    const raised = this.#note(checked);
    const { findings, alarms } = combinedCheck(checked.map(({ check }) => check));
    if (repeatAlarms) for (const alarm of alarms) if (!raised.has(alarm.error)) this.#raise(alarm);
    return findings;
  }

  #combined(): ServerCheck {
    return combinedCheck([...this.#checks.values()]);
  }

  /**
   * Raises each warning that is new, and a recovery for each kind of warning that has gone from all servers.
   * @param checked without a server if a redirect of a cluster led to one that is not a known primary
   * @returns the texts of the warnings that were raised
   */
  #note(checked: ReadonlyArray<{ server: string | undefined; check: ServerCheck }>): ReadonlySet<string> {
    const known = new Set(this.#combined().alarms.map(({ error }) => error));
    // before the new checks: a server that was just checked counts, also if the map of a cluster does not name it
    this.#forgetOldPrimaries();
    for (const { server, check } of checked) if (server !== undefined) this.#checks.set(server, check);
    const { alarms } = this.#combined();
    const fresh = alarms.filter(({ error }) => !known.has(error));
    for (const alarm of fresh) {
      this.#count(alarm.alarm);
      this.#raise(alarm);
    }
    this.#raiseMended(new Set(alarms.map(({ alarm }) => alarm)));
    return new Set(fresh.map(({ error }) => error));
  }

  #forgetOldPrimaries(): void {
    const primaries = new Set(this.#link.primaries().map(({ address }) => address));
    for (const server of this.#checks.keys()) {
      // a link with one connection does not name its server
      if (server !== '' && !primaries.has(server)) this.#checks.delete(server);
    }
  }

  #count(kind: SelfCheckAlarm['alarm']): void {
    const raised = this.#raised.get(kind) ?? { sinceMs: now(), count: 0 };
    raised.count += 1;
    this.#raised.set(kind, raised);
  }

  #raiseMended(kinds: ReadonlySet<SelfCheckAlarm['alarm']>): void {
    for (const [after, { sinceMs, count: failures }] of this.#raised) {
      if (kinds.has(after)) continue;
      this.#raised.delete(after);
      const error = 'The self-check does not find this problem any more.';
      this.#raise({
        alarm: 'session_store_recovered',
        after,
        durationMs: Math.round(now() - sinceMs),
        failures,
        error,
      });
    }
  }
}
