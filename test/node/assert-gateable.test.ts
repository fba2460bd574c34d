import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { DeferredEnd } from '../../lib/gate/deferred-end.js';
import { assertGateable } from '../../lib/node/assert-gateable.js';
import { destroyConnection, endConnection, resetConnection } from '../../lib/node/connection.js';
import type { NodeResponse } from '../../lib/node/node-response.js';
import { assertGateableRuntime } from '../../lib/node/runtime-check.js';

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('Checks of the runtime and of a response', () => {
  it('accepts this Node', () => {
    expect(codeOf(assertGateableRuntime)).to.equal(undefined);
  });

  /** Runs a check on a Node whose responses send in another way. */
  function onAnotherNode(prototype: object, method: string, replacement: unknown): string | undefined {
    const original = Object.getOwnPropertyDescriptor(prototype, method);
    Object.defineProperty(prototype, method, { value: replacement, configurable: true, writable: true });
    try {
      return codeOf(assertGateableRuntime);
    } finally {
      if (original) Object.defineProperty(prototype, method, original);
      else Reflect.deleteProperty(prototype, method);
    }
  }

  it('refuses a method that sends past the gate', () => {
    const around = function (this: { outputData: object[] }) {
      this.outputData.push({ data: 'HTTP/1.1 102 Processing\r\n\r\n' });
    };
    expect(onAnotherNode(ServerResponse.prototype, 'writeProcessing', around)).to.equal('runtime.unsupported');
    expect(onAnotherNode(ServerResponse.prototype, 'writeProcessing', () => {})).to.equal('runtime.unsupported');
  });

  it('refuses a response that sends out of turn, or hides its buffer', () => {
    const atOnce = function (this: ServerResponse, data: string) {
      return this.socket?.write(data);
    };
    const untold = function (this: { outputData: object[] }, data: string) {
      this.outputData.push({ data });
    };
    expect(onAnotherNode(OutgoingMessage.prototype, '_writeRaw', atOnce)).to.equal('runtime.unsupported');
    expect(onAnotherNode(OutgoingMessage.prototype, '_writeRaw', untold)).to.equal('runtime.unsupported');
  });

  it('refuses a runtime where held output is not sent', () => {
    expect(onAnotherNode(OutgoingMessage.prototype, '_flush', () => {})).to.equal('runtime.unsupported');
  });

  it('refuses a runtime without the member that the gate replaces', () => {
    expect(onAnotherNode(OutgoingMessage.prototype, '_flush', undefined)).to.equal('runtime.unsupported');
  });

  it('refuses a runtime whose responses note their close elsewhere', () => {
    const elsewhere = { get: () => undefined, set() {}, configurable: true };
    const prototype = OutgoingMessage.prototype;
    Object.defineProperty(prototype, '_closed', elsewhere);
    try {
      const res = new ServerResponse(new IncomingMessage(new Socket()));
      expect(Object.hasOwn(res, '_closed')).to.equal(false);
      expect(codeOf(assertGateableRuntime)).to.equal('runtime.unsupported');
    } finally {
      Reflect.deleteProperty(prototype, '_closed');
    }
  });

  it('P8: refuses a response without that member, with a code', () => {
    expect(codeOf(() => assertGateable({ write() {}, end() {} }))).to.equal('runtime.unsupported');
  });

  it('G1: refuses a response that overrides how it sends, with a code', () => {
    class OwnWay extends ServerResponse {
      _writeRaw(data: string): boolean {
        return this.socket?.write(data) ?? false;
      }
    }
    const request = new IncomingMessage(new Socket());
    expect(codeOf(() => assertGateable(new ServerResponse(request)))).to.equal(undefined);
    expect(codeOf(() => assertGateable(new OwnWay(request)))).to.equal('runtime.unsupported');
  });

  describe('a response of a server', () => {
    const connected = (prototype?: object): ServerResponse => {
      const res = new ServerResponse(new IncomingMessage(new Socket()));
      if (prototype) Object.setPrototypeOf(res, prototype);
      res.assignSocket(new Socket());
      return res;
    };

    for (const method of [
      'write',
      'end',
      'writeHead',
      '_send',
      '_flush',
      '_flushOutput',
      '_implicitHeader',
      'flushHeaders',
      'writeHeader',
      'writeContinue',
      'writeProcessing',
      'writeEarlyHints',
      'addTrailers',
    ]) {
      it(`G1: is refused if its prototype has its own ${method}() below the app's`, () => {
        class OwnWay extends ServerResponse {}
        Object.defineProperty(OwnWay.prototype, method, { value: () => {} });
        for (const prototype of [OwnWay.prototype, appPrototypeOn(OwnWay.prototype)]) {
          expect(codeOf(() => assertGateable(connected(prototype)))).to.equal('runtime.unsupported');
        }
      });
    }

    for (const method of ['_writeRaw', '_send']) {
      it(`G1: is refused if it, or the app's prototype, has its own ${method}()`, () => {
        const app = appPrototypeOn(ServerResponse.prototype);
        expect(codeOf(() => assertGateable(connected(app)))).to.equal(undefined);
        const own = Object.assign(connected(app), { [method]: () => true });
        expect(codeOf(() => assertGateable(own))).to.equal('runtime.unsupported');
        Object.assign(app, { [method]: () => true });
        expect(codeOf(() => assertGateable(connected(app)))).to.equal('runtime.unsupported');
      });
    }

    it('G1: is refused once such a prototype is set under an app in use', () => {
      const app = appPrototypeOn(ServerResponse.prototype);
      const res = connected(app);
      expect(codeOf(() => assertGateable(res))).to.equal(undefined);
      const { prototype } = class extends ServerResponse {
        override write(): boolean {
          return true;
        }
      };
      Object.setPrototypeOf(Object.getPrototypeOf(app), prototype);
      expect(codeOf(() => assertGateable(res))).to.equal('runtime.unsupported');
    });

    it("G8: is accepted with wrappers on itself or on the app's prototype", () => {
      const app = appPrototypeOn(ServerResponse.prototype);
      const { write, end } = ServerResponse.prototype;
      Object.assign(app, { write });
      const res = Object.assign(connected(app), { end: (...args: Parameters<typeof end>) => end.apply(res, args) });
      expect(codeOf(() => assertGateable(res))).to.equal(undefined);
      Object.assign(app, { write: (...args: Parameters<typeof write>) => write.apply(res, args) });
      expect(codeOf(() => assertGateable(res))).to.equal(undefined);
    });

    it('G1: is refused if the constructor of Node has not made it', () => {
      const res = new OutgoingMessage();
      Object.setPrototypeOf(Object.assign(res, { req: new IncomingMessage(new Socket()) }), ServerResponse.prototype);
      expect(codeOf(() => assertGateable(res))).to.equal('runtime.unsupported');
    });

    it('G2: is refused if its connection cannot be cut', () => {
      for (const socket of [null, undefined, {}, { destroy: true }]) {
        const [ofRequest, ofResponse] = [connected(), connected()];
        Object.assign(ofRequest.req, { socket });
        expect(
          codeOf(() => assertGateable(ofRequest)),
          'the request’s',
        ).to.equal('runtime.unsupported');
        if (!socket) continue;
        Object.assign(ofResponse, { socket });
        expect(
          codeOf(() => assertGateable(ofResponse)),
          'the response’s',
        ).to.equal('runtime.unsupported');
      }
    });
  });

  describe('connections without all members of a socket', () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    for (const [what, socket] of Object.entries({
      'have nothing': {},
      'cannot be reset': { destroy() {} },
      throw: { destroy: broken, destroySoon: broken, end: broken, resetAndDestroy: broken },
    })) {
      it(`G7: end without an error where they ${what}`, () => {
        for (const end of [endConnection, destroyConnection, resetConnection]) end(socket as unknown as Socket);
      });
    }

    for (const [what, lacking] of Object.entries({
      destroy: { destroy() {} },
      'destroy() and on()': { destroy() {}, on() {} },
    })) {
      it(`G7: a deferred end is performed on one that has ${what} only`, () => {
        const calls: unknown[][] = [];
        const socket = Object.assign(lacking, { writable: true, destroy: (...args: unknown[]) => calls.push(args) });
        const res = new ServerResponse(new IncomingMessage(new Socket())) as NodeResponse;
        for (const answered of [true, false]) {
          const ending = new DeferredEnd(res, socket as unknown as Socket);
          socket.destroy(new Error('of the app'));
          expect(calls).to.be.empty;
          ending.restore();
          ending.perform(answered);
          expect(calls.splice(0)).to.have.length(1);
        }
        expect(socket).not.to.have.any.keys('end', 'destroySoon');
      });
    }

    it('G7: a missing connection ends without an error', () => {
      destroyConnection(null);
      destroyConnection(undefined);
    });
  });
});

/** A chain of prototypes as an Express app has it. */
function appPrototypeOn(prototype: object): object {
  const express = Object.assign(Object.create(prototype), { sendStatus() {} });
  return Object.assign(Object.create(express), { app: {} });
}
