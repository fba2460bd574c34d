import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { onResponseClose } from '../../lib/node/on-response-close.js';

function connectedResponse(): ServerResponse {
  const socket = new Socket();
  const res = new ServerResponse(new IncomingMessage(socket));
  res.assignSocket(socket);
  return res;
}

describe('the listener for the close of a response', () => {
  it('is one of its listeners, which others can count, call and remove', () => {
    const res = connectedResponse();
    const calls: string[] = [];
    const listener = (): void => void calls.push('ours');
    onResponseClose(res, listener);
    expect(res.listeners('close')).to.deep.equal([listener]);
    expect(res.eventNames()).to.include('close');
    res.emit('close');
    expect(calls).to.deep.equal(['ours']);
    res.off('close', listener);
    expect(res.listenerCount('close')).to.equal(0);
    expect(res.eventNames()).not.to.include('close');
  });

  it('a response that is closed, or whose connection is, gets no listener', async () => {
    const closed = connectedResponse();
    closed.destroy();
    await once(closed, 'close');
    const abandoned = connectedResponse();
    abandoned.req.socket.destroy();
    for (const res of [closed, abandoned]) {
      const before = res.listenerCount('close');
      expect(onResponseClose(res, () => {})).to.equal(false);
      expect(res.listenerCount('close')).to.equal(before);
    }
    expect(onResponseClose(connectedResponse(), () => {})).to.equal(true);
  });

  it('G8: does not replace other listeners, earlier or later', () => {
    const res = connectedResponse();
    const calls: string[] = [];
    res.on('close', () => calls.push('earlier'));
    onResponseClose(res, () => calls.push('ours'));
    onResponseClose(res, () => calls.push('second'));
    res.on('close', () => calls.push('later'));
    res.emit('close');
    expect(calls).to.deep.equal(['earlier', 'ours', 'second', 'later']);
  });

  it('G8: is announced to those who listen for new listeners', () => {
    const res = connectedResponse();
    const announced: unknown[] = [];
    res.on('newListener', (event) => announced.push(event));
    onResponseClose(res, () => {});
    expect(announced).to.deep.equal(['close']);
  });

  it('counts, so that the last other listener that leaves does not remove it', () => {
    const res = connectedResponse();
    res.removeAllListeners();
    let calls = 0;
    onResponseClose(res, () => {
      calls += 1;
    });
    const other = (): void => {};
    res.on('finish', other).off('finish', other);
    res.emit('close');
    expect(calls).to.equal(1);
  });
});
