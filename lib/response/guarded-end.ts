import type { Socket } from 'node:net';
import { DeferredEnd } from './deferred-end.js';
import type { GateKeeper } from './gate-keeper.js';
import { type NodeResponse, renderedStatus, resetConnection } from './node-response.js';
import { occupy } from './response-turn.js';
import { type Front, shadowMethods, unshadowMethods } from './shadow-methods.js';

/**
 * A response without a length and chunks ends with its connection, so that end is held like a byte. It may come when
 * nothing else is left to be written.
 */
export function guardEnd(res: NodeResponse, socket: Socket, keeper: GateKeeper): void {
  const front: Front = {
    onCall: (end) => {
      if (end.method !== 'end' || !keeper.mustHold()) return end.proceed();
      occupy(socket, res);
      const ending = new DeferredEnd(res, socket);
      keeper.settle({
        status: renderedStatus(res),
        onVerdict: (verdict) => {
          ending.restore();
          if (verdict === 'refuse') resetConnection(socket);
          else end.proceed();
          ending.perform(true);
        },
      });
      return socket;
    },
  };
  shadowMethods(socket, ['end'], front);
  res.once('close', () => unshadowMethods(socket, front));
}
