import type { SessionExplanation } from '../../../contract/provenance.js';
import { explainLabels } from '../../../provenance/explain-labels.js';
import type { Reply } from '../protocol/resp-parser.js';
import type { ValkeyAsker } from '../protocol/valkey-wire.js';
import { readRecords, recordsIn } from '../provenance/record-commands.js';
import { labelsIn, loadCommand } from './label-commands.js';

const isList = (reply: Reply): boolean => Array.isArray(reply);

/** Reads the labels of a session and their records in one round trip. Rejects like a load; does not renew the TTL. */
export async function explainSession(wire: ValkeyAsker, key: string, maxLabels: number): Promise<SessionExplanation> {
  const stillPrimary = wire.stillPrimary();
  // it may reject before the labels arrive, when it is not awaited yet
  stillPrimary?.catch(() => {});
  const load = loadCommand(key);
  const [members = null, records] = await wire.ask({
    text: load.text + readRecords(key),
    replies: [...load.replies, isList],
  });
  const labels = labelsIn([members], maxLabels);
  if (stillPrimary) await stillPrimary;
  return explainLabels(labels, recordsIn(records));
}
