import { AplSessionError, type LabelOrigin, type SessionStore, type StoreFinding } from '../../lib/index.js';
import type { SessionStoreContractOptions } from '../../lib/testing.js';

/** Labels by session id: the backend of the stores below. */
export type Table = Map<string, Set<string>>;

/** A correct store over a table that several stores may share. A test replaces some of its members. */
export function tableStore(table: Table, replaced: Partial<SessionStore> = {}): SessionStore {
  return {
    loadLabels: async (sessionId) => [...(table.get(sessionId) ?? [])],
    appendLabels: async (sessionId, labels) => {
      if (labels.length > 0) table.set(sessionId, new Set([...(table.get(sessionId) ?? []), ...labels]));
    },
    ...replaced,
  };
}

/** Options for a store with faults. `breakStore` gets the correct store, and returns what replaces its members. */
export function optionsOf(
  breakStore: (correct: SessionStore, table: Table) => Partial<SessionStore>,
  options: Partial<SessionStoreContractOptions> = {},
): SessionStoreContractOptions {
  const table: Table = new Map();
  return { open: () => tableStore(table, breakStore(tableStore(table), table)), ...options };
}

/** The same for a store that keeps origins. `records` has the origin of each label, by session id and label. */
function explainingOptions(
  breakStore: (correct: SessionStore, records: Map<string, LabelOrigin>) => Partial<SessionStore>,
): SessionStoreContractOptions {
  const records = new Map<string, LabelOrigin>();
  const options = optionsOf(({ appendLabels, loadLabels }) => {
    const correct: SessionStore = {
      loadLabels,
      provenance: true,
      appendLabels: async (id, labels, origins) => {
        await appendLabels(id, labels);
        for (const [label, origin] of origins ?? []) {
          if (!records.has(`${id} ${label}`)) records.set(`${id} ${label}`, origin);
        }
      },
      explain: async (id) => ({
        enrolled: false,
        labels: [...(await loadLabels(id))].map((label) => ({ label, node: 'n', ...records.get(`${id} ${label}`) })),
      }),
    };
    return { ...correct, ...breakStore(correct, records) };
  });
  return { ...options, provenance: true };
}

const normal = (id: string) => id.slice(0, 255);
const later = () => new Promise((resolve) => setImmediate(resolve));

/** Options for a store with a TTL, on a clock that only the suite moves. */
export function ttlOptions({
  ttlMs = 2_000,
  onLoad = true,
  onAppend = true,
  named = true,
}): SessionStoreContractOptions {
  const table: Table = new Map();
  const usedAt = new Map<string, number>();
  let nowMs = 0;
  const touch = (id: string, prolong: boolean): void => {
    if (nowMs - (usedAt.get(id) ?? nowMs) > ttlMs) table.delete(id);
    if (prolong || !table.has(id)) usedAt.set(id, nowMs);
  };
  const { loadLabels, appendLabels } = tableStore(table);
  const store = tableStore(table, {
    loadLabels: async (id) => {
      touch(id, onLoad);
      return loadLabels(id);
    },
    appendLabels: async (id, labels) => {
      touch(id, onAppend);
      await appendLabels(id, labels);
    },
  });
  const elapse = (ms: number): void => {
    nowMs += ms;
  };
  return {
    open: () => store,
    ttl: { open: (ttlSeconds) => (named ? { ...store, ttlSeconds } : store), elapse },
  };
}

/** A store over a table that is down now and then; `whenDown` is its answer to a load meanwhile. */
export function withOutage(
  whenDown: () => Promise<Iterable<string>>,
  members: Partial<SessionStore> = {},
): SessionStoreContractOptions {
  let down = false;
  const options = optionsOf(({ loadLabels, appendLabels }) => ({
    loadLabels: (id) => (down ? whenDown() : loadLabels(id)),
    appendLabels: async (id, labels) => {
      if (down) await whenDown();
      await appendLabels(id, labels);
    },
    ...members,
  }));
  const outage = {
    start: () => {
      down = true;
    },
    end: () => {
      down = false;
    },
  };
  return { ...options, outage, ...(members.check && { check: true }) };
}

/** One store for each rule that it breaks. */
export const BROKEN: ReadonlyArray<{
  readonly what: string;
  readonly options: () => SessionStoreContractOptions;
  readonly rule: RegExp;
}> = [
  {
    what: 'rejects for an unknown session',
    options: () =>
      optionsOf(({ loadLabels }, table) => ({
        loadLabels: async (id) => {
          if (!table.has(id)) throw new Error('no such row');
          return loadLabels(id);
        },
      })),
    rule: /^an unknown session is empty/,
  },
  {
    what: 'returns no promise',
    options: () => optionsOf(({ loadLabels }) => ({ loadLabels: ((id: string) => [loadLabels(id)]) as never })),
    rule: /^both calls return promises/,
  },
  {
    what: 'throws synchronously',
    options: () =>
      optionsOf(() => ({
        appendLabels: () => {
          throw new Error('thrown');
        },
      })),
    rule: /^both calls return promises/,
  },
  {
    what: 'loses a label',
    options: () =>
      optionsOf(({ appendLabels }) => ({ appendLabels: (id, labels) => appendLabels(id, labels.slice(0, 1)) })),
    rule: /^a load returns what was appended/,
  },
  {
    what: 'resolves with undefined',
    options: () => optionsOf(() => ({ loadLabels: async () => undefined as never })),
    rule: /^an unknown session is empty/,
  },
  {
    what: 'returns a string',
    options: () => optionsOf((_, table) => ({ loadLabels: async (id) => [...(table.get(id) ?? [])].join('') })),
    rule: /^a load returns what was appended/,
  },
  {
    what: 'returns numbers',
    options: () => optionsOf((_, table) => ({ loadLabels: async (id) => [table.get(id)?.size ?? 0] as never })),
    rule: /^an unknown session is empty/,
  },
  {
    what: 'replaces the labels',
    options: () =>
      optionsOf((_, table) => ({ appendLabels: async (id, labels) => void table.set(id, new Set(labels)) })),
    rule: /^G5: appends accumulate/,
  },
  {
    what: 'returns duplicates',
    options: () => {
      const lists = new Map<string, string[]>();
      return optionsOf(() => ({
        loadLabels: async (id) => [...(lists.get(id) ?? [])],
        appendLabels: async (id, labels) => void lists.set(id, [...(lists.get(id) ?? []), ...labels]),
      }));
    },
    rule: /^G5: an append is idempotent/,
  },
  {
    what: 'stores a label for an empty append',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: (id, labels) => appendLabels(id, labels.length === 0 ? ['none'] : labels),
      })),
    rule: /^an empty append changes nothing/,
  },
  {
    what: 'finds sessions by the begin of their id',
    options: () =>
      optionsOf((_, table) => ({
        loadLabels: async (id) =>
          new Set([...table].filter(([key]) => key.startsWith(id)).flatMap(([, labels]) => [...labels])),
      })),
    rule: /^G6: sessions are isolated/,
  },
  {
    what: 'ignores the case of session ids',
    options: () =>
      optionsOf(({ appendLabels, loadLabels }) => ({
        loadLabels: (id) => loadLabels(id.toLowerCase()),
        appendLabels: (id, labels) => appendLabels(id.toLowerCase(), labels),
      })),
    rule: /^G6: sessions are isolated/,
  },
  {
    what: 'cuts session ids after 255 characters',
    options: () =>
      optionsOf(({ appendLabels, loadLabels }) => ({
        loadLabels: (id) => loadLabels(normal(id)),
        appendLabels: (id, labels) => appendLabels(normal(id), labels),
      })),
    rule: /^G6: session ids of 1,000 characters/,
  },
  {
    what: 'ignores the case of labels',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: (id, labels) => appendLabels(id, [...new Set(labels.map((label) => label.toLowerCase()))]),
      })),
    rule: /^labels differ by case/,
  },
  {
    what: 'keeps sessions in an object',
    options: () => {
      const sessions: Record<string, string[]> = {};
      return optionsOf(() => ({
        loadLabels: async (id) => [...(sessions[id] ?? [])],
        appendLabels: async (id, labels) => {
          sessions[id] = [...new Set([...(sessions[id] ?? []), ...labels])];
        },
      }));
    },
    rule: /^names of object members/,
  },
  {
    what: 'joins labels with commas',
    options: () => {
      const texts = new Map<string, string>();
      return optionsOf(() => ({
        loadLabels: async (id) => texts.get(id)?.split(',') ?? [],
        appendLabels: async (id, labels) => {
          const all = new Set([...(texts.get(id)?.split(',') ?? []), ...labels]);
          if (labels.length > 0) texts.set(id, [...all].join(','));
        },
      }));
    },
    rule: /^labels beyond ASCII/,
  },
  {
    what: 'trims labels',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: (id, labels) =>
          appendLabels(
            id,
            labels.map((label) => label.trim()),
          ),
      })),
    rule: /^labels beyond ASCII/,
  },
  {
    what: 'cuts labels after 255 characters',
    options: () =>
      optionsOf(({ appendLabels }) => ({ appendLabels: (id, labels) => appendLabels(id, labels.map(normal)) })),
    rule: /^a label of 256 bytes/,
  },
  {
    what: 'returns the first 500 labels',
    options: () => optionsOf((_, table) => ({ loadLabels: async (id) => [...(table.get(id) ?? [])].slice(0, 500) })),
    rule: /^1,000 labels in one append/,
  },
  {
    what: 'reads the list of the caller later',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: async (id, labels) => {
          await later();
          await appendLabels(id, labels);
        },
      })),
    rule: /^labels are copied: a list that changes later/,
  },
  {
    what: 'sorts the list of the caller',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: (id, labels) => appendLabels(id, (labels as string[]).sort()),
      })),
    rule: /^an append does not change the list of the caller/,
  },
  {
    what: 'returns its own set',
    options: () =>
      optionsOf((_, table) => ({
        loadLabels: async (id) => table.get(id) ?? [],
      })),
    rule: /^labels are copied out/,
  },
  {
    what: 'returns a set that grows',
    options: () => {
      const sets = new Map<string, Set<string>>();
      const setOf = (id: string) => sets.get(id) ?? (sets.set(id, new Set()).get(id) as Set<string>);
      return optionsOf(() => ({
        loadLabels: async (id) => setOf(id),
        appendLabels: async (id, labels) => {
          for (const label of labels) setOf(id).add(label);
        },
      }));
    },
    rule: /^later appends do not change an earlier result/,
  },
  {
    what: 'acknowledges an append before other processes can read it',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: async (id, labels) => {
          const copy = [...labels];
          void later().then(() => appendLabels(id, copy));
        },
      })),
    rule: /^G4: a load that starts after an append/,
  },
  {
    what: 'keeps labels in its own memory, but is opened as one store per process',
    options: () => ({ open: () => tableStore(new Map()) }),
    rule: /^G4: a load that starts after an append/,
  },
  {
    what: 'reads, then writes',
    options: () =>
      optionsOf(({ loadLabels }, table) => ({
        appendLabels: async (id, labels) => {
          const copy = [...labels];
          const before = await loadLabels(id);
          await later();
          table.set(id, new Set([...before, ...copy]));
        },
      })),
    rule: /^G5: concurrent appends from two nodes/,
  },
  {
    what: 'calls its backend for an empty append',
    options: () => {
      let calls = 0;
      const options = optionsOf(({ appendLabels }) => ({
        appendLabels: async (id, labels) => {
          calls += 1;
          await appendLabels(id, labels);
        },
      }));
      const countBackendCalls = async (action: () => Promise<void>) => {
        const before = calls;
        await action();
        return calls - before;
      };
      return { ...options, countBackendCalls };
    },
    rule: /^an empty append is a no-op/,
  },
  {
    what: 'has a deadlineMs of NaN',
    options: () => optionsOf(() => ({ deadlineMs: Number.NaN })),
    rule: /^the optional members of the store are valid/,
  },
  {
    what: 'has a close() that the options do not name',
    options: () => optionsOf(() => ({ close: async () => {} })),
    rule: /^the optional members of the store are valid/,
  },
  {
    what: 'has no close(), but the options name it',
    options: () => optionsOf(() => ({}), { close: true }),
    rule: /^a closed store rejects both calls/,
  },
  {
    what: 'goes on after close()',
    options: () => optionsOf(() => ({ close: async () => {} }), { close: true }),
    rule: /^a closed store rejects both calls/,
  },
  {
    what: 'rejects after close() with an error without a code',
    options: () => {
      const table: Table = new Map();
      const open = (): SessionStore => {
        let closed = false;
        const assertOpen = () => {
          if (closed) throw new Error('closed');
        };
        const { loadLabels, appendLabels } = tableStore(table);
        return {
          loadLabels: async (id) => {
            assertOpen();
            return loadLabels(id);
          },
          appendLabels: async (id, labels) => {
            assertOpen();
            return appendLabels(id, labels);
          },
          close: async () => {
            closed = true;
          },
        };
      };
      return { open, close: true };
    },
    rule: /^a store that is closed before its first call/,
  },
  {
    what: 'accepts more labels than its limit',
    options: () => optionsOf(() => ({ maxLabelsPerSession: 1_500 }), { limit: true }),
    rule: /^a session may have maxLabelsPerSession labels/,
  },
  {
    what: 'stores a part of an append that is too long',
    options: () =>
      optionsOf(
        ({ appendLabels }) => ({
          maxLabelsPerSession: 1_000,
          appendLabels: async (id, labels) => {
            await appendLabels(id, labels.slice(0, 1_000));
            if (labels.length > 1_000) throw new AplSessionError('store.too_many_labels', 'too many');
          },
        }),
        { limit: true },
      ),
    rule: /^an append of more than maxLabelsPerSession labels/,
  },
  {
    what: 'deletes nothing, in spite of ttlSeconds',
    options: () => ttlOptions({ ttlMs: Number.POSITIVE_INFINITY }),
    rule: /^a session is deleted ttlSeconds after/,
  },
  {
    what: 'deletes sessions too early',
    options: () => ttlOptions({ ttlMs: 1_000 }),
    rule: /^a session is deleted ttlSeconds after/,
  },
  {
    what: 'does not start the TTL again at a load',
    options: () => ttlOptions({ onLoad: false }),
    rule: /^a session is deleted ttlSeconds after/,
  },
  {
    what: 'does not start the TTL again at an append',
    options: () => ttlOptions({ onAppend: false }),
    rule: /^a session is deleted ttlSeconds after/,
  },
  {
    what: 'deletes sessions, but has no ttlSeconds',
    options: () => ttlOptions({ named: false }),
    rule: /^a session is deleted ttlSeconds after/,
  },
  {
    what: 'refuses origins',
    options: () =>
      optionsOf(({ appendLabels }) => ({
        appendLabels: async (id, labels, origins) => {
          if (origins) throw new Error('two arguments only');
          await appendLabels(id, labels);
        },
      })),
    rule: /^an append with origins/,
  },
  {
    what: 'keeps the last origin',
    options: () =>
      explainingOptions(({ appendLabels }, records) => ({
        appendLabels: async (id, labels, origins) => {
          await appendLabels(id, labels);
          for (const [label, origin] of origins ?? []) records.set(`${id} ${label}`, origin);
        },
      })),
    rule: /^explain\(\) returns the first origin/,
  },
  {
    what: 'explains only labels that have an origin',
    options: () =>
      explainingOptions((_correct, records) => ({
        explain: async (id) => ({
          enrolled: false,
          labels: [...records.keys()]
            .filter((key) => key.startsWith(`${id} `))
            .map((key) => ({ label: key.slice(-1) })),
        }),
      })),
    rule: /^explain\(\) has labels without an origin/,
  },
  {
    what: 'explains a session with the labels of another',
    options: () =>
      explainingOptions((_correct, records) => ({
        explain: async () => ({ enrolled: false, labels: [...records.keys()].map((label) => ({ label })) }),
      })),
    rule: /^explain\(\) of an unknown session/,
  },
  {
    what: 'has a check() that returns texts',
    options: () =>
      optionsOf(() => ({ check: async () => ['fine'] as unknown as readonly StoreFinding[] }), { check: true }),
    rule: /^check\(\) resolves with findings/,
  },
];
