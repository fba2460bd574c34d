import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { AplSessionError } from '../contract/errors.js';
import { ResponseTurn } from './response-turn.js';
import { assertGateable, type NodeResponse } from './server-response.js';

const DOORS: ReadonlyArray<(res: ServerResponse) => unknown> = [
  (res) => res.end('x'),
  (res) => res.flushHeaders(),
  (res) => res.writeContinue(),
  (res) => res.writeProcessing(),
  (res) => res.writeEarlyHints({ link: '</x>' }),
  (res) => {
    // Node 26 gathers chunks until the end of the tick
    res.write('x');
    res.end('y');
  },
  (res) => {
    const { writeInformation } = res as ServerResponse & { writeInformation?: (status: number) => void };
    if (writeInformation) writeInformation.call(res, 110);
    else res.writeProcessing();
  },
];

/**
 * Tries on this Node, with responses on a socket that is connected to nothing, that everything that a response sends is
 * kept, told of and in the end sent where it is not its turn. Run once per middleware, so that a future Node that goes
 * other ways is refused and not trusted.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateableRuntime(): void {
  if (DOORS.every(isGateable)) return;
  throw new AplSessionError(
    'runtime.unsupported',
    `This runtime (${process.version}) sends response bytes in a way that cannot be held back. Use Node 20.19 or newer, 22 or 24.`,
  );
}

function isGateable(send: (res: ServerResponse) => unknown): boolean {
  const socket = new Socket();
  let written = 0;
  socket.write = () => {
    written += 1;
    return true;
  };
  const req = Object.assign(new IncomingMessage(socket), { httpVersionMajor: 1, httpVersionMinor: 1 });
  const res = new ServerResponse(req) as NodeResponse;
  if (typeof res._flush !== 'function' || !isKnown(res)) return false;
  let told = 0;
  res._onPendingData = () => {
    told += 1;
  };
  res.assignSocket(socket);
  const turn = new ResponseTurn(res, { headOut: false, onTurn() {} });
  turn.suspend();
  send(res);
  const kept = res.outputData.length;
  const held = written === 0 && kept > 0 && told === kept;
  turn.resume();
  res._flush();
  return held && written === kept;
}

/** Whether responses have what each of them is asked for later. */
function isKnown(res: ServerResponse): boolean {
  try {
    assertGateable(res);
    return true;
  } catch {
    return false;
  }
}
