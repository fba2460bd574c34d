import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { AplSessionEvents } from '../contract/events.js';

/** A listener for each channel. None may throw: Node would end the process. */
export type EventListeners = {
  readonly [Name in keyof AplSessionEvents]: (event: AplSessionEvents[Name]) => void;
};

/** Subscribes the listeners to their channels, and returns a function that unsubscribes them. */
export function subscribeAll(listeners: EventListeners): () => void {
  const channels = Object.entries(listeners).map(([name, listener]) => ({
    name,
    // the events of a channel have the type of its listener
    heard: (message: unknown): void => listener(message as never),
  }));
  for (const { name, heard } of channels) subscribe(name, heard);
  return () => {
    for (const { name, heard } of channels) unsubscribe(name, heard);
  };
}
