import type { Socket } from 'node:net';
import { destroyConnection } from '../node/connection.js';
import { type Front, shadowMethods, unshadowMethods } from '../node/method-interceptor.js';
import { occupy } from '../node/response-turn.js';
import { type NodeResponse, renderedStatus } from '../node/server-response.js';
import { DeferredEnd } from './deferred-end.js';
import type { GateKeeper, Verdict } from './gate-keeper.js';

/** Tells whether the end of the connection was asked for, and is put off. */
export type EndGuard = () => boolean;

/**
 * A response without a length and chunks ends with its connection, so that end is held like a byte. It may come when
 * nothing else is left to be written.
 */
export function guardEnd(res: NodeResponse, socket: Socket, keeper: GateKeeper): EndGuard {
  let asked = false;
  const front: Front = {
    onCall: (call) => {
      if (!socket.writable || !keeper.mustHold()) return call.proceed();
      occupy(socket, res);
      const ending = new DeferredEnd(res, socket);
      const answer = ending.onCall(call);
      if (ending.requested) {
        asked = true;
        keeper.settle({ status: renderedStatus(res), onVerdict: (verdict) => conclude(ending, socket, verdict) });
      }
      return answer;
    },
  };
  shadowMethods(socket, ['destroy', 'end'], front);
  res.once('close', () => unshadowMethods(socket, front));
  return () => asked;
}

function conclude(ending: DeferredEnd, socket: Socket, verdict: Verdict): void {
  if (verdict === 'refuse') {
    ending.reset();
    return;
  }
  ending.restore();
  try {
    ending.perform(true);
  } catch (error) {
    // arguments that no end takes must cost this connection and not the process
    destroyConnection(socket, error as Error);
  }
}
