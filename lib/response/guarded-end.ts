import type { Socket } from 'node:net';
import { DeferredDestroy } from './deferred-destroy.js';
import type { GateKeeper } from './gate-keeper.js';
import { endingMethodOf, type NodeResponse, renderedStatus, resetConnection } from './node-response.js';
import { occupy } from './response-turn.js';
import { type Front, shadowMethod, unshadowMethod } from './shadow-method.js';

/**
 * A response without a length and chunks ends with its connection, so that end is held like a byte. It may come when
 * nothing else is left to be written.
 */
export function guardEnd(res: NodeResponse, socket: Socket, keeper: GateKeeper): void {
  const endable: Record<'destroySoon' | 'end', () => unknown> = socket;
  const method = endingMethodOf(socket);
  const front: Front<() => unknown> = {
    inFrontOf: (end) => () => {
      if (!keeper.mustHold()) return end();
      occupy(socket, res);
      const destroy = new DeferredDestroy(socket);
      keeper.settle(renderedStatus(res), {
        onVerdict: (verdict) => {
          destroy.restore();
          if (verdict === 'refuse') resetConnection(socket);
          else end();
          destroy.perform(true);
        },
      });
      return socket;
    },
  };
  shadowMethod(endable, method, front);
  res.once('close', () => unshadowMethod(endable, method, front));
}
