import { ServerResponse } from 'node:http';
import { AplSessionError } from '../contract/errors.js';
import { memberOf } from '../util/member-of.js';
import type { NodeResponse } from './node-response.js';

const NODES_OWN = ServerResponse.prototype as NodeResponse;

/** The members by which responses of Node, and the sockets below them, are recognised. */
interface Candidate extends Partial<Omit<NodeResponse, 'req' | 'socket'>> {
  readonly req?: { readonly socket?: { destroy?: unknown } | null };
  readonly socket?: { destroy?: unknown; write?: unknown } | null;
  /** Set by the constructor of Node's ServerResponse. */
  readonly _sent100?: boolean;
}

/**
 * Throws for a response that the gate cannot hold: responses of the HTTP/2 compatibility API, mocks, subclasses that buffer or
 * send their output themselves, and responses whose connection cannot be destroyed. Every request is checked, as a test tool
 * may change the prototypes of an app at any time.
 * @throws AplSessionError `runtime.unsupported`
 */
export function assertGateable(response: object): void {
  const res = response as Candidate;
  if (!isNodes(res)) {
    throw new AplSessionError(
      'runtime.unsupported',
      'This response cannot be held back: it is not an HTTP/1 ServerResponse of Node, or it sends its output itself. HTTP/2 and mock responses (light-my-request, for example) are not supported. Test over a real connection.',
    );
  }
  if (isConnected(res)) return;
  throw new AplSessionError(
    'runtime.unsupported',
    'This response cannot be held back: its connection has no destroy() method, so it could not be cut. Test over a real connection.',
  );
}

function isNodes(res: Candidate): boolean {
  if (typeof memberOf(res, '_onPendingData') !== 'function' || typeof memberOf(res, '_sent100') !== 'boolean')
    return false;
  const prototype = Object.getPrototypeOf(res) as NodeResponse;
  if (sendsAsNode(prototype) && hasNodesMethods(prototype)) {
    // its methods may be wrapped, but not the two below all of them
    return !Object.hasOwn(res, '_writeRaw') && !Object.hasOwn(res, '_send');
  }
  return sendsAsNode(res) && !hasForeignPrototype(res);
}

function sendsAsNode(res: Candidate): boolean {
  return res._writeRaw === NODES_OWN._writeRaw && res._send === NODES_OWN._send;
}

/** A response that waits in a pipeline has no socket yet, but its request has one. */
function isConnected(res: Candidate): boolean {
  const req = memberOf(res, 'req');
  const connection = req && memberOf(req, 'socket');
  if (typeof connection?.destroy !== 'function') return false;
  const socket = memberOf(res, 'socket');
  return !socket || (typeof socket.destroy === 'function' && typeof socket.write === 'function');
}

/** Without a loop, because it runs for every request. */
function hasNodesMethods(prototype: NodeResponse): boolean {
  return (
    prototype.write === NODES_OWN.write &&
    prototype.end === NODES_OWN.end &&
    prototype.writeHead === NODES_OWN.writeHead &&
    prototype._flush === NODES_OWN._flush &&
    prototype._flushOutput === NODES_OWN._flushOutput &&
    prototype._implicitHeader === NODES_OWN._implicitHeader &&
    prototype.flushHeaders === NODES_OWN.flushHeaders &&
    prototype.writeHeader === NODES_OWN.writeHeader &&
    prototype.writeContinue === NODES_OWN.writeContinue &&
    prototype.writeProcessing === NODES_OWN.writeProcessing &&
    prototype.writeEarlyHints === NODES_OWN.writeEarlyHints &&
    prototype.addTrailers === NODES_OWN.addTrailers
  );
}

/**
 * Whether the response inherits methods that send output from a prototype that is neither of Express nor of Node. The response
 * itself, and the prototypes of Express, may wrap the methods of Node.
 */
function hasForeignPrototype(res: Candidate): boolean {
  let prototype = Object.getPrototypeOf(res) as NodeResponse | null;
  while (prototype && isOfExpress(prototype)) prototype = Object.getPrototypeOf(prototype) as NodeResponse | null;
  return prototype === null || !hasNodesMethods(prototype);
}

/** `app.response`, or `express.response`. */
function isOfExpress(prototype: object): boolean {
  return Object.hasOwn(prototype, 'app') || Object.hasOwn(prototype, 'sendStatus');
}
