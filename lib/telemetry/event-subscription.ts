import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AplSessionEvents } from '../contract/events.js';
import type { EventName } from '../events/event-stream.js';

export type EventHandlers = {
  readonly [Name in EventName]?: (event: AplSessionEvents[`express-apl-session:${Name}`]) => void;
};

/** Subscribes each handler to its channel. @returns a function that ends all of these subscriptions */
export function subscribeToEvents(handlers: EventHandlers): () => void {
  const listeners = Object.entries(handlers).map(([name, handler]) => {
    const channel = `express-apl-session:${name}`;
    const listener = quiet(handler as (event: unknown) => void);
    subscribe(channel, listener);
    return { channel, listener };
  });
  return () => {
    for (const { channel, listener } of listeners.splice(0)) unsubscribe(channel, listener);
  };
}

/** Node reports what a subscriber throws as an uncaught exception. A failing exporter must not end the app. */
function quiet(handler: (event: unknown) => void): ChannelListener {
  return (event) => {
    try {
      handler(event);
    } catch {
      // the event is not counted
    }
  };
}
