import { expect } from 'chai';
import { ValkeySessionStore, type ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { documentFaults } from '../support/compiler.js';
import { all, only, read } from '../support/documents.js';
import { eventually, rejectionOf } from '../support/eventually.js';
import { describeWithValkeyGroup, type ValkeyNode } from '../support/valkey-group.js';

const DOCUMENT = 'docs/operations.md';
const SESSION = '68755f41a98324d6';
const RECORDED = 'a session with records';
const QUARANTINED = 'a1b2c3d4e5f60718';
const ERASED = '0f1e2d3c4b5a6978';
const PASSWORD = "the first, with ' and $(";
const NEXT_PASSWORD = 'the next';

interface Block {
  readonly heading: string;
  readonly script: string;
  /** What the document says that it prints. */
  readonly output: string | undefined;
}

/** Development is what the pipeline does with docker-compose.yml. */
const blocks = blocksOf(read(DOCUMENT));
const onValkey = blocks.filter(({ heading }) => heading !== 'Development');

describeWithValkeyGroup(`${DOCUMENT}, run from top to bottom`, 1, (group) => {
  let server: ValkeyNode;
  let store: ValkeySessionStore;
  let password = PASSWORD;
  const storeWith = (options: ValkeySessionStoreOptions = {}): ValkeySessionStore =>
    new ValkeySessionStore({
      endpoint: new URL(server.url).host,
      username: 'labels',
      password: () => password,
      ttlSeconds: 86_400,
      connectTimeoutMs: 2_000,
      commandTimeoutMs: 2_000,
      ...options,
    });
  /** What has to be done, or must hold, before and after a block. */
  const around: Readonly<Record<string, { before?: () => Promise<unknown>; after?: () => Promise<unknown> }>> = {
    Rights: {
      after: async () => {
        await store.appendLabels(SESSION, ['secret']);
        expect(await store.loadLabels(SESSION)).to.deep.equal(['secret']);
        expect(await server.admin.call('ACL', 'LOG')).to.deep.equal([]);
      },
    },
    'Records of labels': {
      after: async () => {
        const recorded = storeWith({ provenance: true });
        await recorded.appendLabels(RECORDED, ['recorded'], new Map([['recorded', { atMs: Date.now(), by: 'taint' }]]));
        expect((await recorded.explain(RECORDED)).labels[0]).to.include({ label: 'recorded', by: 'taint' });
        await recorded.close();
        expect(await server.admin.call('ACL', 'LOG')).to.deep.equal([]);
      },
    },
    Persistence: {
      after: async () => {
        // a server that is killed before the first file is complete loses what it had
        await eventually(
          async () => expect(await server.admin.info('persistence')).to.include('aof_rewrite_in_progress:0'),
          { withinMs: 20_000 },
        );
        const findings = await store.check();
        expect(findings.filter(({ status }) => status === 'warning')).to.deep.equal([]);
      },
    },
    'Replication, failover, clusters': {
      after: async () => {
        const error = await rejectionOf(store.appendLabels(SESSION, ['lost']));
        expect(error).to.have.property('code', 'store.command_failed');
        expect(error).to.have.property('message').that.includes('NOREPLICAS');
        expect(await store.loadLabels(SESSION)).to.deep.equal(['secret']);
        await server.admin.config('SET', 'min-replicas-to-write', '0');
      },
    },
    Quarantine: {
      after: async () => {
        expect(await store.loadLabels(QUARANTINED)).to.deep.equal(['quarantined']);
      },
    },
    'Ending a session for good': {
      before: async () => {
        const recorded = storeWith({ provenance: true });
        await recorded.appendLabels(ERASED, ['secret'], new Map([['secret', { atMs: Date.now() }]]));
        await recorded.close();
      },
      after: async () => {
        expect(await store.loadLabels(ERASED)).to.deep.equal([]);
      },
    },
    'Rotating the password': {
      before: async () => void (await store.appendLabels(SESSION, ['before'])),
      after: async () => {
        password = NEXT_PASSWORD;
        await store.appendLabels(SESSION, ['after']);
        expect(await store.loadLabels(SESSION)).to.have.members(['secret', 'before', 'after']);
      },
    },
  };

  before(async () => {
    server = await group().start('--save', '');
    store = storeWith();
  });
  after(() => store?.close());

  for (const [index, { heading, script, output }] of onValkey.entries()) {
    it(`${heading}, ${script.trim().split('\n').at(-1)}`, async () => {
      const steps = around[heading] ?? {};
      await steps.before?.();
      const printed = await group().shell(server, script, { PASSWORD, NEXT_PASSWORD });
      expect(printed.replaceAll('\r', '').trim()).to.equal(output?.trim(), `block ${index}`);
      await steps.after?.();
    });
  }

  it('settings survive a restart, the old password fails, all labels stay', async () => {
    await server.kill();
    await server.restart();
    const labels = await eventually(() => store.loadLabels(SESSION));
    expect(labels).to.have.members(['secret', 'before', 'after']);
    const old = new ValkeySessionStore({
      endpoint: new URL(server.url).host,
      username: 'labels',
      password: PASSWORD,
    });
    expect(await rejectionOf(old.loadLabels(SESSION))).to.have.property('code', 'store.login_failed');
    await old.close();
  });
});

describe(DOCUMENT, () => {
  it('its TypeScript compiles', () => {
    expect(documentFaults(DOCUMENT)).to.equal('');
  });

  it('the pipeline runs the commands on docker-compose.yml', () => {
    const workflow = read('.github/workflows/ci.yml');
    const commands = blocks.filter(({ heading }) => heading === 'Development').map(({ script }) => script.trim());
    expect(commands).to.have.length(1);
    for (const command of commands) expect(workflow).to.include(command);
  });

  it('every alarm has a row with what to do and a link to its description', () => {
    const alarms = all(/readonly alarm: '([^']+)'/g, read('lib/contract/alarms.ts')).map(([, alarm]) => alarm);
    const rows = all(/^\| \[`(\w+)`\]\(errors\.md#(\w+)\) \|/gm, read(DOCUMENT));
    expect(rows.map(([, alarm]) => alarm)).to.have.members(alarms);
    for (const [, alarm, anchor] of rows) expect(anchor).to.equal(alarm);
  });

  it('the rights are those that docs/errors.md names', () => {
    const section = only(/^### `store\.not_permitted`\n(.*?)^###/ms, read('docs/errors.md'));
    const named = all(/\+[\w|]+/g, section).map(([right]) => right);
    const commands = all(/^valkey-cli ACL SETUSER labels (.*)$/gm, read(DOCUMENT)).map(([, rules = '']) => rules);
    const granted = all(/\+[\w|]+/g, commands.join(' ')).map(([right]) => right);
    expect([...granted, '+select']).to.have.members([...new Set(named)]);
  });

  it('links lead to headings', () => {
    for (const [, file = '', anchor = ''] of all(/\]\(([\w.]+\.md)#([\w-]+)\)/g, read(DOCUMENT))) {
      const anchors = all(/^#+ (.+)$/gm, read(`docs/${file}`)).map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      expect(anchors, `${file}#${anchor}`).to.include(anchor);
    }
  });
});

function blocksOf(document: string): Block[] {
  const found: Block[] = [];
  let heading = '';
  for (const [, script, output, title] of all(
    /^```sh\n(.*?)^```\n(?:```text\n(.*?)^```$)?|^#+ ([^\n]+)$/gms,
    document,
  )) {
    if (title !== undefined) heading = title;
    else found.push({ heading, script: script ?? '', output });
  }
  return found;
}
