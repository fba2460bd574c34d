import { CountingProxy } from '../../support/counting-proxy.js';
import type { AppProcess } from '../app-process.js';
import type { Lab } from '../lab.js';
import type { RoundTripResult } from '../results.js';
import type { Scenario } from '../scenarios.js';

const REQUESTS = 4;

/**
 * Round trips, as a proxy before Valkey counts them, and commands, as Valkey does. One request at a time, so that the
 * commands of two requests never share a trip.
 */
export async function runRoundTrips(
  lab: Lab,
  scenarios: readonly Scenario[],
  say: (text: string) => void,
): Promise<RoundTripResult[]> {
  say('round trips and commands');
  const { hostname, port } = new URL(lab.valkey.url);
  const proxy = await CountingProxy.start({ url: lab.valkey.url, host: hostname, port: Number(port) });
  const results: RoundTripResult[] = [];
  const apps = new Map<string, AppProcess>();
  await lab.refill();
  for (const { name, title, kind, shape } of scenarios) {
    const app = apps.get(kind) ?? (await lab.startApp(kind, { valkeyUrl: proxy.url }));
    apps.set(kind, app);
    await lab.load.do({ do: 'open', ports: [app.port], connections: 1 });
    const send = () => lab.load.do({ do: 'count', shape, requests: REQUESTS });
    // the first requests connect, and load scripts
    await send();
    let trips = 0;
    const counts = await lab.valkey.countCommands(async () => {
      trips = await proxy.countRoundTrips(send);
    });
    results.push({
      name,
      title,
      roundTrips: trips / REQUESTS,
      commands: Object.fromEntries(Object.entries(counts).map(([command, calls]) => [command, calls / REQUESTS])),
    });
  }
  for (const app of apps.values()) await app.stop();
  await lab.load.do({ do: 'close' });
  await proxy.close();
  return results;
}
