import type { Metric } from './metric.js';

const NAMESPACE = 'express_apl_session';

function metric(name: string, unit: string, description: string, ...attributes: string[]): Metric {
  return Object.freeze({ name: `${NAMESPACE}.${name}`, unit, description, attributes: Object.freeze(attributes) });
}

/** All metrics of this package. `docs/metrics.md` has a row for each. */
export const METRICS = Object.freeze({
  requests: metric(
    'requests',
    '{request}',
    'Requests by the source of their session; none without a session.',
    'source',
  ),
  loads: metric('loads', '{load}', 'Loads of labels that have ended.', 'outcome', 'code'),
  appends: metric('appends', '{append}', 'Appends of labels that have ended.', 'outcome', 'code'),
  denials: metric('denials', '{request}', 'Requests that this package has denied.', 'route', 'code'),
  cutResponses: metric(
    'responses.cut',
    '{response}',
    'Denied responses whose connection was cut, because bytes had left.',
  ),
  alarms: metric('alarms', '{alarm}', 'Alarms, recoveries included.', 'alarm'),
  wouldBeDenials: metric(
    'would_be_denials',
    '{request}',
    'Requests that a guard with enforce observe would have denied.',
    'guard',
    'route',
    'code',
  ),
  loadDuration: metric('load.duration', 's', 'How long loads took.', 'outcome'),
  appendDuration: metric('append.duration', 's', 'How long appends took.', 'outcome'),
  holdDuration: metric('hold.duration', 's', 'How long responses were held.', 'outcome'),
  heldResponses: metric('responses.held', '{response}', 'Responses that are held now.'),
  heldBytes: metric('held.size', 'By', 'Bytes of responses that are held now, header sections included.'),
  connected: metric('store.connected', '{connection}', 'Whether the store has a connection to every primary: 1 or 0.'),
  circuit: metric(
    'store.circuit',
    '{state}',
    'The state of the circuit breaker: 1 for the current state, else 0.',
    'state',
  ),
});
