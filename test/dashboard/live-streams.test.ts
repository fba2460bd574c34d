import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import type { Response } from 'express';
import { LiveStreams } from '../../lib/dashboard/live-streams.js';
import { eventually } from '../support/eventually.js';

const BIG = { text: 'x'.repeat(1_000_000) };

describe('LiveStreams', () => {
  let streams: LiveStreams;
  let server: Server;
  let responses: ServerResponse[];
  let client: Socket;

  beforeEach(async () => {
    streams = new LiveStreams(2, () => ({ snapshot: true }));
    responses = [];
    server = createServer((_req, res) => {
      responses.push(res);
      // what is added to the response by Express is not used
      streams.add(res as Response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
    await eventually(() => expect(streams.hasViewers).to.equal(true));
  });
  afterEach(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });

  /** Sends until the client, which does not read, holds the stream up. */
  const holdUp = (): void => {
    client.pause();
    while (!responses[0]?.writableNeedDrain) streams.send('second', BIG);
  };

  it('a client that does not read gets no more bytes, and is disconnected after 30 messages', () => {
    holdUp();
    const waiting = responses[0]?.writableLength;
    for (let left = 30; left > 0; left -= 1) streams.send('second', BIG);
    expect(responses[0]?.writableLength).to.equal(waiting);
    expect(responses[0]?.destroyed).to.equal(false);
    streams.send('second', BIG);
    expect(responses[0]?.destroyed).to.equal(true);
  });

  it('a client that reads again gets a snapshot in place of the messages that it has missed', async () => {
    let text = '';
    client.on('data', (data) => {
      text += data.toString();
    });
    holdUp();
    streams.send('second', { missed: true });
    client.resume();
    await eventually(() => expect(responses[0]?.writableNeedDrain).to.equal(false));
    streams.send('second', { sent: 1 });
    streams.send('second', { sent: 2 });
    await eventually(() => expect(text).to.include('{"sent":2}'));
    expect(text).to.not.include('missed').and.not.include('{"sent":1}');
    expect(text.split('{"snapshot":true}')).to.have.length(3);
  });

  it('a client that leaves is no viewer any more', async () => {
    client.destroy();
    await eventually(() => expect(streams.hasViewers).to.equal(false));
  });
});
