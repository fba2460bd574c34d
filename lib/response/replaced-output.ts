import { bytesOf } from './detached-response.js';
import type { KeptOutput } from './kept-output.js';
import { endingMethodOf, impersonate, type NodeResponse } from './node-response.js';

/** Puts a refusal in the place of everything that was kept. What the response sends from now on is dropped. */
export function replaceOutput(res: NodeResponse, kept: KeptOutput, refusal: NodeResponse): void {
  const ended = res.writableEnded;
  // to whom it matters that something was sent, it is when the refusal is
  res._writeRaw = (_data, encoding, callback) => {
    const onPassed = typeof encoding === 'function' ? encoding : callback;
    if (onPassed) kept.callAfter(onPassed);
    return false;
  };
  impersonate(res, refusal);
  const callbacks = kept.replace(bytesOf(refusal), (error) => {
    for (const callback of callbacks) callback?.(error);
    // the handler may never end its response, but the client has all that it will get
    if (!ended && res.socket) res.socket[endingMethodOf(res.socket)]();
  });
}

/** What the response sends from now on is lost, as on a connection that was destroyed. */
export function loseOutput(res: NodeResponse): void {
  res._writeRaw = () => false;
}
