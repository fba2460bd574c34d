import { type IncomingMessage, OutgoingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { AplSessionError } from '../../lib/contract/errors.js';
import { assertGateableRuntime } from '../../lib/node/runtime-check.js';

type Method = (this: never, ...args: never[]) => unknown;
interface Output {
  outputData: Array<{ data: unknown; callback?: ((error?: Error) => void) | undefined }>;
}

/** Runs the check while one member of Node's own objects is another, as it could be in a future Node. */
function errorWith(owner: object, name: string, change: (original: Method) => unknown): AplSessionError | undefined {
  const original = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value: change(original?.value), configurable: true, writable: true });
  try {
    assertGateableRuntime();
    return undefined;
  } catch (error) {
    return error instanceof AplSessionError ? error : undefined;
  } finally {
    if (original) Object.defineProperty(owner, name, original);
    else Reflect.deleteProperty(owner, name);
  }
}

describe('the check of the runtime', () => {
  it('accepts this Node', () => {
    expect(assertGateableRuntime).not.to.throw();
  });

  const outgoing = OutgoingMessage.prototype;
  const cases: ReadonlyArray<readonly [change: string, check: RegExp, error: () => AplSessionError | undefined]> = [
    [
      'writes past the buffer',
      /without its turn buffers all output/,
      () =>
        errorWith(
          outgoing,
          '_writeRaw',
          () =>
            function (this: ServerResponse, data: string) {
              return this.socket?.write(data) ?? false;
            },
        ),
    ],
    [
      'does not mark the pieces that a flush has sent',
      /marks the pieces/,
      () =>
        errorWith(
          outgoing,
          '_flushOutput',
          (original) =>
            function (this: ServerResponse & Output, socket: Socket) {
              const pieces = this.outputData.map((piece) => ({ ...piece }));
              const { write } = socket;
              socket.write = ((data: string) => {
                this.outputData = pieces;
                return write.call(socket, data);
              }) as typeof write;
              return original.call(this as never, socket as never);
            },
        ),
    ],
    [
      'ends a response with another callback',
      /finish callback/,
      () =>
        errorWith(
          outgoing,
          'end',
          (original) =>
            function (this: ServerResponse & Output, ...args: unknown[]) {
              const result = original.apply(this as never, args as never[]);
              for (const piece of this.outputData) if (piece.callback) piece.callback = () => {};
              return result;
            },
        ),
    ],
    [
      'assigns no response to a socket',
      /connects its socket/,
      () =>
        errorWith(
          ServerResponse.prototype,
          'assignSocket',
          (original) =>
            function (this: ServerResponse, socket: Socket) {
              original.call(this as never, socket as never);
              Reflect.deleteProperty(socket, '_httpMessage');
            },
        ),
    ],
    [
      'has no state of the request’s stream',
      /connects its socket/,
      () =>
        errorWith(Server.prototype, 'emit', (original) => {
          const emit = function (this: Server, event: string, ...args: unknown[]): unknown {
            const [req] = args;
            if (event === 'request') Object.assign(req as IncomingMessage, { _readableState: undefined });
            return original.apply(this as never, [event, ...args] as never[]);
          };
          return emit;
        }),
    ],
    [
      'has no socket below a TLS socket',
      /TLS socket/,
      () => {
        Object.defineProperty(TLSSocket.prototype, '_parent', { get: () => undefined, set() {}, configurable: true });
        try {
          return errorWith(outgoing, 'unrelated', () => undefined);
        } finally {
          Reflect.deleteProperty(TLSSocket.prototype, '_parent');
        }
      },
    ],
  ];
  for (const [change, check, errorOf] of cases) {
    it(`G1: refuses a Node that ${change}`, () => {
      const error = errorOf();
      expect(error).to.have.property('code', 'runtime.unsupported');
      expect(error?.message).to.match(check).and.include(process.version);
    });
  }
});
