import type { Alarm, SessionStore } from '../../../lib/index.js';
import { ValkeySessionStore } from '../../../lib/valkey.js';
import { eventually } from '../../support/eventually.js';
import type { AppAnswer, CrashApp } from './crash-app.js';
import type { CrashEvent, Damage } from './crash-event.js';
import type { FeatureSet } from './feature-sets.js';
import type { Lab } from './lab.js';
import { forEachInParallel, SessionLoad } from './session-load.js';
import { missingIn } from './stored-labels.js';

/** What became of the acknowledged labels, each counted once per category. */
export interface Outcome {
  readonly acknowledged: number;
  /** The store did not have them after the event. */
  readonly missing: number;
  /** The next request of the session was served without them, or the store does not have them after it. */
  readonly lost: number;
  /** The next request of the session had them, and the store has them again. */
  readonly healed: number;
  /** The next request of the session was refused. */
  readonly refused: number;
  /** Reported by the alarm `session_store_regression`. */
  readonly alarmed: number;
  /** Why requests were refused, or, if no label was acknowledged, why appends failed. */
  readonly codes: readonly string[];
}

const PATIENT = { connectTimeoutMs: 2_000, commandTimeoutMs: 2_000 };
let trials = 0;

/** Lets one event happen to the app with one set of features, under load. */
export async function runTrial(lab: Lab, event: CrashEvent, features: FeatureSet, labels: number): Promise<Outcome> {
  const { app } = lab;
  const scene = await event.open(lab, features);
  const observer = new ValkeySessionStore({ ...scene.store, ...PATIENT });
  const { sessions, hasMemory } = features;
  const name = `${process.pid}-${++trials}`;
  const load = new SessionLoad(app, { name, enrols: sessions === 'enrolled', accepts: scene.accepts });
  try {
    await app.configure({ store: { ...PATIENT, ...scene.store }, sessions, hasMemory });
    load.start();
    if (!(await load.acknowledges(labels))) return notAcknowledged(await app.alarms());
    const damage = await scene.happen({ app, load, observer });
    await load.stop();
    return await judge(app, observer, damage);
  } finally {
    await load.stop();
    await observer.close();
    await scene.close();
  }
}

/** Asks the app and the store for each session. */
async function judge(app: CrashApp, observer: SessionStore, { acknowledged, missing }: Damage): Promise<Outcome> {
  await eventually(async () => isServed(await app.readLabels('probe')), { withinMs: 30_000 });
  const codes = new Set<string>();
  /** The labels that a guard sees, by session; `undefined` if the request is refused. */
  const seen = new Map<string, ReadonlySet<string> | undefined>();
  await forEachInParallel(new Set(acknowledged.map(({ session }) => session)), async (session) => {
    const { status, body } = await app.readLabels(session);
    seen.set(session, status === 200 ? new Set(body as string[]) : undefined);
    if (status !== 200) codes.add(codeOf(body));
  });
  const missingNow = new Set(await missingIn(observer, acknowledged));
  const missingBefore = new Set(missing);
  const counts = { lost: 0, healed: 0, refused: 0 };
  for (const one of acknowledged) {
    const labels = seen.get(one.session);
    if (!labels) counts.refused += missingBefore.has(one) ? 1 : 0;
    else if (!labels.has(one.label) || missingNow.has(one)) counts.lost += 1;
    else counts.healed += missingBefore.has(one) ? 1 : 0;
  }
  const regressions = (await app.alarms()).filter((alarm) => alarm.alarm === 'session_store_regression');
  return {
    acknowledged: acknowledged.length,
    missing: counts.lost + counts.healed + counts.refused,
    ...counts,
    alarmed: regressions.reduce((sum, { lostLabels }) => sum + lostLabels, 0),
    codes: [...codes],
  };
}

/** The store is reached again. */
function isServed({ status, body }: AppAnswer): boolean {
  return status === 200 || codeOf(body) === 'session.unknown';
}

function codeOf(body: unknown): string {
  return String((body as { code?: unknown }).code);
}

function notAcknowledged(alarms: readonly Alarm[]): Outcome {
  const codes = alarms.flatMap((alarm) => (alarm.alarm === 'session_store_failure' ? (alarm.code ?? []) : []));
  const none = { acknowledged: 0, missing: 0, lost: 0, healed: 0, refused: 0, alarmed: 0 };
  return { ...none, codes: [...new Set(codes)].sort() };
}
