import { randomBytes } from 'node:crypto';
import { type Channel, channel } from 'node:diagnostics_channel';
import type { AplSessionEvents, EventOrigin, HeldResponse, HoldEvent } from '../contract/events.js';
import { VERSION } from '../contract/version.js';

type ChannelName = keyof AplSessionEvents;
/** A channel by its short name, for example `load`. */
export type EventName = ChannelName extends `express-apl-session:${infer Name}` ? Name : never;
type Details<Name extends EventName> = Omit<AplSessionEvents[`express-apl-session:${Name}`], keyof EventOrigin>;

const CHANNELS: Readonly<Record<EventName, Channel>> = {
  request: channel('express-apl-session:request'),
  load: channel('express-apl-session:load'),
  append: channel('express-apl-session:append'),
  hold: channel('express-apl-session:hold'),
  denial: channel('express-apl-session:denial'),
  alarm: channel('express-apl-session:alarm'),
  recovery: channel('express-apl-session:recovery'),
};

/** The events of one `aplSessionMiddleware()`. Ask `has` before you make an event, so that nothing is made without a subscriber. */
export class EventStream {
  readonly mount: string;

  /** @param mount the default is a random name, which tells several middlewares in one process apart */
  constructor(mount = randomBytes(2).toString('hex')) {
    this.mount = mount;
  }

  has(name: EventName): boolean {
    return CHANNELS[name].hasSubscribers;
  }

  /** Whether an event of a single request or response has a subscriber. */
  get hasRequests(): boolean {
    return CHANNELS.request.hasSubscribers || CHANNELS.hold.hasSubscribers || CHANNELS.denial.hasSubscribers;
  }

  /**
   * The next three are for events that most requests have. An object that is made in one piece costs a tenth of one that
   * `publish` has to put together.
   */
  publishRequest(method: string, source: string): void {
    CHANNELS.request.publish(Object.freeze({ version: VERSION, mount: this.mount, method, source }));
  }

  publishCall(operation: 'load' | 'append', outcome: 'loaded' | 'appended', durationMs: number): void {
    CHANNELS[operation].publish(Object.freeze({ version: VERSION, mount: this.mount, outcome, durationMs }));
  }

  publishHold(route: string, outcome: HoldEvent['outcome'], durationMs: number, response: HeldResponse): void {
    CHANNELS.hold.publish(Object.freeze({ version: VERSION, mount: this.mount, route, outcome, durationMs, response }));
  }

  publish<Name extends EventName>(name: Name, details: Details<Name>): void {
    CHANNELS[name].publish(Object.freeze({ version: VERSION, mount: this.mount, ...details }));
  }
}
