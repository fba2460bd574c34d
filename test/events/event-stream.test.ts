import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import { EventStream } from '../../lib/events/event-stream.js';
import { documentFaults } from '../support/compiler.js';
import { all, read } from '../support/documents.js';

const NAMES = ['request', 'load', 'append', 'hold', 'denial', 'alarm', 'recovery'] as const;

describe('EventStream', () => {
  it('publishes on the channel of the name, frozen, with version and mount', () => {
    for (const name of NAMES) {
      const heard: unknown[] = [];
      const listener: ChannelListener = (message, channel) => heard.push({ message, channel });
      const stream = new EventStream('a1b2');
      expect(stream.has(name)).to.equal(false);
      subscribe(`express-apl-session:${name}`, listener);
      expect(stream.has(name)).to.equal(true);
      stream.publish(name, { method: 'GET' } as never);
      unsubscribe(`express-apl-session:${name}`, listener);
      stream.publish(name, { method: 'GET' } as never);
      const { version } = JSON.parse(read('package.json')) as { version: string };
      const message = { version, mount: 'a1b2', method: 'GET' };
      expect(heard).to.deep.equal([{ message, channel: `express-apl-session:${name}` }]);
      expect((heard[0] as { message: object }).message).to.be.frozen;
    }
  });

  it('each stream has a name of its own', () => {
    const names = Array.from({ length: 20 }, () => new EventStream().mount);
    expect(new Set(names).size).to.be.greaterThan(15);
    for (const name of names) expect(name).to.match(/^[0-9a-f]{4}$/);
  });

  it('docs/events.md: its code compiles', () => {
    expect(documentFaults('docs/events.md')).to.equal('');
  });

  it('docs/events.md has a row for each channel and for each member of its events', () => {
    const contract = read('lib/contract/events.ts');
    const document = read('docs/events.md');
    const rows = new Map(
      all(/^\| `express-apl-session:(\w+)` \| (.*) \|$/gm, document).map(([, name, row]) => [name, row]),
    );
    expect([...rows.keys()]).to.have.members([...NAMES]);
    for (const [, name = '', type = ''] of all(/'express-apl-session:(\w+)': (\w+);/g, contract)) {
      const body = contract.split(`export interface ${type} extends EventOrigin {`)[1]?.split('\n}')[0] ?? '';
      const members = all(/^ {2}readonly (\w+)\??:/gm, body).map(([, member]) => member);
      expect(members).to.not.be.empty;
      for (const member of members) expect(rows.get(name), name).to.include(`\`${member}\``);
    }
  });
});
