/** This package with its memory store. `fill` makes sessions with labels. */
import { importFromDist, mountOurs } from '../ours.mjs';

const { MemorySessionStore } = await importFromDist('index.js');

export async function mount(app) {
  const store = new MemorySessionStore({ maxSessions: 100_000_000 });
  return {
    ...mountOurs(app, store),
    async ask(question, { count, labels } = {}) {
      if (question !== 'fill') return undefined;
      for (let n = 0; n < count; n++) await store.appendLabels(`${n}`.padStart(16, '0'), labels);
      return store.size;
    },
  };
}
