import { endConnection } from '../node/connection.js';
import { bytesOf } from '../node/detached-response.js';
import type { HeldOutput } from '../node/held-output.js';
import { impersonate, type NodeResponse } from '../node/server-response.js';
import { setTimeout } from '../util/clock.js';
import type { DroppedCalls } from './dropped-calls.js';

/** How long wrappers may take to end a response whose refusal was sent. */
const LIMIT_MS = 2_000;

/**
 * Puts a refusal in the place of everything that was kept. What the response sends from now on is dropped.
 * @param dropped what the handler does, if that is dropped
 */
export function replaceOutput(
  res: NodeResponse,
  kept: HeldOutput,
  refusal: NodeResponse,
  dropped: DroppedCalls | undefined,
): void {
  const ends = dropped?.ends ?? res.writableEnded;
  // to whom it matters that something was sent, it is when the refusal is
  res._writeRaw = (_data, encoding, callback) => {
    const onPassed = typeof encoding === 'function' ? encoding : callback;
    if (onPassed) kept.callAfter(onPassed);
    return true;
  };
  impersonate(res, refusal, dropped?.headers ?? res);
  const callbacks = kept.replace(bytesOf(refusal), (error) => {
    for (const callback of callbacks) callback?.(error);
    // the client has all that it will get
    if (!ends) endSocketOf(res);
    else if (!res.writableEnded) setTimeout(() => !res.writableEnded && endSocketOf(res), LIMIT_MS).unref();
  });
}

/** The next request would wait for a response that never ends. */
function endSocketOf({ socket }: NodeResponse): void {
  if (socket) endConnection(socket);
}

/** What the response sends from now on is lost, as on a connection that was destroyed. */
export function loseOutput(res: NodeResponse): void {
  res._writeRaw = () => false;
}
