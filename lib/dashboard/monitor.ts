import { hostname } from 'node:os';
import process from 'node:process';
import type { SessionStore } from '../contract/session-store.js';
import { VERSION } from '../contract/version.js';
import { subscribeToEvents } from '../telemetry/event-subscription.js';
import { clearInterval, isoTime, setInterval, wallClock } from '../util/clock.js';
import { Incidents } from './incidents.js';
import { StoreHealth } from './store-health.js';
import { TrafficWindow } from './traffic-window.js';

/** The browsers that show the dashboard. */
export interface Audience {
  readonly hasViewers: boolean;
  /** @param event the name of the server-sent event */
  send(event: string, data: object): void;
}

const SECOND_MS = 1_000;
/** A hanging server is noticed after this time and the deadline of the store. */
const PROBE_EVERY_MS = 500;

/** Collects what this process publishes, and tells the audience about it each second. Its memory is bounded. */
export class Monitor {
  readonly #audience: Audience;
  readonly #traffic = new TrafficWindow();
  readonly #incidents = new Incidents();
  readonly #health: StoreHealth;
  readonly #canExplain: boolean;
  readonly #hasStore: boolean;
  readonly #since = isoTime();
  readonly #stop: () => void;
  #sentVersion = 0;

  constructor(store: SessionStore | undefined, canExplain: boolean, audience: Audience) {
    this.#audience = audience;
    this.#health = new StoreHealth(store);
    this.#canExplain = canExplain;
    this.#hasStore = store !== undefined;
    const unsubscribe = this.#subscribe();
    const timers = [
      setInterval(() => this.#endSecond(), SECOND_MS).unref(),
      setInterval(() => this.#probe(), PROBE_EVERY_MS).unref(),
    ];
    this.#stop = () => {
      unsubscribe();
      for (const timer of timers) clearInterval(timer);
    };
  }

  /** Everything that a new viewer needs. */
  snapshot(): object {
    return {
      node: { host: hostname(), pid: process.pid, since: this.#since, version: VERSION },
      canExplain: this.#canExplain,
      hasStore: this.#hasStore,
      seconds: this.#traffic.seconds,
      totals: this.#traffic.totals,
      health: this.#health.report(),
      lists: this.#incidents.lists(),
    };
  }

  close(): void {
    this.#stop();
  }

  #subscribe(): () => void {
    const traffic = this.#traffic;
    const incidents = this.#incidents;
    return subscribeToEvents({
      request: () => traffic.request(),
      load: (event) => traffic.load(event),
      append: (event) => traffic.append(event),
      hold: (event) => traffic.hold(event),
      denial: (event) => {
        traffic.denial(event.cut);
        incidents.denial(event);
      },
      alarm: (event) => incidents.alarm(event),
      recovery: ({ alarm }) => incidents.recovery(alarm),
    });
  }

  #endSecond(): void {
    this.#health.sample();
    const second = this.#traffic.endSecond(wallClock(), this.#health.state);
    if (!this.#audience.hasViewers) return;
    const { version } = this.#incidents;
    const isNews = version !== this.#sentVersion;
    this.#sentVersion = version;
    this.#audience.send('second', {
      second,
      totals: this.#traffic.totals,
      health: this.#health.report(),
      ...(isNews && { lists: this.#incidents.lists() }),
    });
  }

  #probe(): void {
    // without an open page the store gets no probes
    if (!this.#audience.hasViewers) return;
    this.#health.probe().then((hasChanged) => {
      if (hasChanged) this.#audience.send('health', this.#health.report());
    });
  }
}
