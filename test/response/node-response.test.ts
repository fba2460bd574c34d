import { IncomingMessage, OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { assertGateable } from '../../lib/response/node-response.js';
import { assertGateableRuntime } from '../../lib/response/runtime-check.js';

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('The runtime that the gate needs', () => {
  it('is there on this Node', () => {
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

  it('is refused where a method sends without passing the gate', () => {
    const around = function (this: { outputData: object[] }) {
      this.outputData.push({ data: 'HTTP/1.1 102 Processing\r\n\r\n' });
    };
    expect(onAnotherNode(ServerResponse.prototype, 'writeProcessing', around)).to.equal('runtime.unsupported');
    expect(onAnotherNode(ServerResponse.prototype, 'writeProcessing', () => {})).to.equal('runtime.unsupported');
  });

  it('is refused where a response sends though it is not its turn, or does not tell what it keeps', () => {
    const atOnce = function (this: ServerResponse, data: string) {
      return this.socket?.write(data);
    };
    const untold = function (this: { outputData: object[] }, data: string) {
      this.outputData.push({ data });
    };
    expect(onAnotherNode(OutgoingMessage.prototype, '_writeRaw', atOnce)).to.equal('runtime.unsupported');
    expect(onAnotherNode(OutgoingMessage.prototype, '_writeRaw', untold)).to.equal('runtime.unsupported');
  });

  it('is refused where what was kept is not sent', () => {
    expect(onAnotherNode(OutgoingMessage.prototype, '_flush', () => {})).to.equal('runtime.unsupported');
  });

  it('is refused where the place of the gate is missing', () => {
    expect(onAnotherNode(OutgoingMessage.prototype, '_flush', undefined)).to.equal('runtime.unsupported');
  });

  it('P8: a response without that place is refused, with a code', () => {
    expect(codeOf(() => assertGateable({ write() {}, end() {} }))).to.equal('runtime.unsupported');
  });

  it('G1: a response that sends in a way of its own is refused, with a code', () => {
    class OwnWay extends ServerResponse {
      _writeRaw(data: string): boolean {
        return this.socket?.write(data) ?? false;
      }
    }
    const request = new IncomingMessage(new Socket());
    expect(codeOf(() => assertGateable(new ServerResponse(request)))).to.equal(undefined);
    expect(codeOf(() => assertGateable(new OwnWay(request)))).to.equal('runtime.unsupported');
  });
});
