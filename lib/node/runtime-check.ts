import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { AplSessionError } from '../contract/errors.js';
import { assertGateable } from './assert-gateable.js';
import { socketBelow } from './connection.js';
import { FINISH_CALLBACK } from './held-output.js';
import type { NodeResponse } from './node-response.js';
import { onResponseClose } from './on-response-close.js';
import { requestState } from './request-state.js';
import { ResponseTurn, type ServerSocket } from './response-turn.js';

const WRITERS: ReadonlyArray<(res: ServerResponse) => unknown> = [
  (res) => res.end('x'),
  (res) => res.flushHeaders(),
  (res) => res.writeContinue(),
  (res) => res.writeProcessing(),
  (res) => res.writeEarlyHints({ link: '</x>' }),
  (res) => {
    // Node 26 joins chunks until the end of the tick
    res.write('x');
    res.end('y');
  },
  (res) => {
    const { writeInformation } = res as ServerResponse & { writeInformation?: (status: number) => void };
    if (writeInformation) writeInformation.call(res, 110);
    else res.writeProcessing();
  },
];

/** Everything undocumented on which this package relies. */
const PROBES: Readonly<Record<string, () => boolean>> = {
  'a response without its turn buffers all output': () => WRITERS.every(buffersOutput),
  'a flush marks the pieces that it has sent': marksFlushedPieces,
  'the last piece of a response has the finish callback': hasFinishCallback,
  'a server connects its socket, parser, request and response': connectsItsObjects,
  'a TLS socket has the socket below it': hasSocketBelow,
  'a response notes that it has closed': notesClose,
  'a response keeps its listeners where the package adds one': keepsListeners,
};

/**
 * Probes this version of Node with responses on sockets that are not connected. It runs once per middleware, so that a future
 * Node with other internals is refused.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateableRuntime(): void {
  const failed = Object.entries(PROBES).find(([, holds]) => !attempted(holds));
  if (!failed) return;
  throw new AplSessionError(
    'runtime.unsupported',
    `This runtime (${process.version}) sends response bytes in a way that cannot be held back. Use Node 20.19 or newer, 22, 24 or 26. The check that failed: ${failed[0]}.`,
  );
}

function attempted(probe: () => boolean): boolean {
  try {
    return probe();
  } catch {
    return false;
  }
}

function buffersOutput(send: (res: ServerResponse) => unknown): boolean {
  const { res, socket, written } = responseOn(new Socket());
  assertGateable(res);
  let notified = 0;
  res._onPendingData = () => {
    notified += 1;
  };
  res.assignSocket(socket);
  const turn = new ResponseTurn(res, { isHeadOut: false, onTurn() {} });
  turn.suspend();
  send(res);
  const buffered = res.outputData.length;
  const isHeld = written() === 0 && buffered > 0 && notified === buffered;
  turn.resume();
  res._flush();
  return isHeld && written() === buffered;
}

function marksFlushedPieces(): boolean {
  const { res, socket } = responseOn(new Socket());
  res.flushHeaders();
  res.write('x');
  const marks: boolean[] = [];
  socket.write = () => marks.push(res.outputData[0]?.data === null) > 0;
  res.assignSocket(socket);
  res._flush();
  return marks.length > 1 && marks.every(Boolean);
}

function hasFinishCallback(): boolean {
  const { res } = responseOn(new Socket());
  res.end('x');
  return res.outputData.at(-1)?.callback?.name === FINISH_CALLBACK;
}

function connectsItsObjects(): boolean {
  const server = new Server();
  const socket: ServerSocket = new Socket();
  let isConnected = false;
  server.once('request', (req, res) => {
    isConnected = socket._httpMessage === res && socket.parser?.incoming === req && requestState(req) !== req;
  });
  server.emit('connection', socket);
  socket.emit('data', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  socket.destroy();
  return isConnected && 'httpAllowHalfOpen' in server;
}

function hasSocketBelow(): boolean {
  const socket = new Socket();
  const tlsSocket = new TLSSocket(socket, { isServer: true });
  const isBelow = socketBelow(tlsSocket) === socket;
  tlsSocket.destroy();
  return isBelow;
}

function notesClose(): boolean {
  const { res, socket } = responseOn(new Socket());
  res.assignSocket(socket);
  const wasOpen = res._closed === false;
  socket.emit('close');
  return wasOpen && res._closed && res.closed;
}

function keepsListeners(): boolean {
  const { res, socket } = responseOn(new Socket());
  res.assignSocket(socket);
  let calls = 0;
  const listener = (): void => {
    calls += 1;
  };
  const before = res.listenerCount('close');
  onResponseClose(res, listener);
  const isAdded = res.listenerCount('close') === before + 1;
  // makes a list of the two
  res.on('close', listener);
  res.emit('close');
  res.off('close', listener).off('close', listener);
  return isAdded && calls === 2 && res.listenerCount('close') === before;
}

/** A response on a socket that counts its writes and sends nothing. */
function responseOn(socket: Socket): { res: NodeResponse; socket: Socket; written: () => number } {
  let count = 0;
  socket.write = () => {
    count += 1;
    return true;
  };
  const req = Object.assign(new IncomingMessage(socket), { httpVersionMajor: 1, httpVersionMinor: 1 });
  return { res: new ServerResponse(req) as NodeResponse, socket, written: () => count };
}
