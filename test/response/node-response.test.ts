import { OutgoingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { assertGateable, assertGateableRuntime } from '../../lib/response/node-response.js';

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

  it('is refused where the place of the gate is missing', () => {
    expect(onAnotherNode(OutgoingMessage.prototype, '_flush', undefined)).to.equal('runtime.unsupported');
  });

  it('P8: a response without that place is refused, with a code', () => {
    expect(codeOf(() => assertGateable({ write() {}, end() {} }))).to.equal('runtime.unsupported');
  });
});
