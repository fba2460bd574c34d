import { endConnection } from './connection.js';
import { bytesOf } from './detached-response.js';
import type { KeptOutput } from './kept-output.js';
import { type HeaderWriter, impersonate, type NodeResponse } from './node-response.js';

/**
 * Puts a refusal in the place of everything that was kept. What the response sends from now on is dropped.
 * @param headers sets the headers of the response
 */
export function replaceOutput(res: NodeResponse, kept: KeptOutput, refusal: NodeResponse, headers: HeaderWriter): void {
  const ended = res.writableEnded;
  // to whom it matters that something was sent, it is when the refusal is
  res._writeRaw = (_data, encoding, callback) => {
    const onPassed = typeof encoding === 'function' ? encoding : callback;
    if (onPassed) kept.callAfter(onPassed);
    return true;
  };
  impersonate(res, refusal, headers);
  const callbacks = kept.replace(bytesOf(refusal), (error) => {
    for (const callback of callbacks) callback?.(error);
    // a wrapper may never end the response, but the client has all that it will get
    if (!ended && res.socket) endConnection(res.socket);
  });
}

/** What the response sends from now on is lost, as on a connection that was destroyed. */
export function loseOutput(res: NodeResponse): void {
  res._writeRaw = () => false;
}
