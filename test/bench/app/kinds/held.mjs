/** This package with a store that acknowledges appends only after `acknowledge`: every tainted response is held. */
import { mountOurs } from '../ours.mjs';

export async function mount(app) {
  const pending = [];
  const store = {
    deadlineMs: 600_000,
    loadLabels: async () => [],
    appendLabels: () => new Promise((resolve) => pending.push(resolve)),
  };
  return {
    ...mountOurs(app, store),
    async ask(question) {
      if (question === 'pending') return pending.length;
      if (question !== 'acknowledge') return undefined;
      for (const resolve of pending.splice(0)) resolve();
      return true;
    },
  };
}
