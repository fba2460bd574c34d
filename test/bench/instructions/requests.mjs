/** Requests in groups, without a server and a network. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** Neither reads nor keeps anything. */
export function sink() {
  const socket = new Socket();
  socket._read = () => {};
  socket._writeGeneric = (_writev, _data, _encoding, callback) => callback();
  Object.defineProperty(socket, 'writable', { value: true });
  return socket;
}

/** Returns a function that sends `together` requests at once, and resolves when all of its responses have closed. */
export function groupsOf({ app, headersOf }, together) {
  let requests = 0;
  const sockets = Array.from({ length: together }, sink);
  const send = (socket) => {
    const req = new IncomingMessage(socket);
    Object.assign(req, { method: 'GET', url: '/', httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 });
    const headers = ['Host', 'bench', ...headersOf(requests++)];
    req._addHeaderLines(headers, headers.length);
    const res = new ServerResponse(req);
    res.assignSocket(socket);
    return new Promise((done) => {
      res.on('finish', () => {
        res.detachSocket(socket);
        res.emit('close');
        done();
      });
      app(req, res);
    });
  };
  return () => Promise.all(sockets.map(send));
}
