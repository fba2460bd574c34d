/**
 * This package with a store that acknowledges appends only after `acknowledge`: every tainted response is held. All appends
 * wait for one promise, so that the store itself takes no memory for them.
 */
import { mountOurs } from '../ours.mjs';

export async function mount(app) {
  let acknowledge;
  let acknowledged;
  const hold = () => {
    acknowledged = new Promise((resolve) => {
      acknowledge = resolve;
    });
  };
  hold();
  const store = { deadlineMs: 600_000, loadLabels: async () => [], appendLabels: () => acknowledged };
  return {
    ...mountOurs(app, store),
    async ask(question) {
      if (question !== 'acknowledge') return undefined;
      acknowledge();
      hold();
      return true;
    },
  };
}
