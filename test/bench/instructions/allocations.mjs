/** Prints the bytes that one request of a scenario allocates. Needs --expose-gc and room for all of them. Usage: SCENARIO DIST TOGETHER */
import { groupsOf } from './requests.mjs';
import { appOf } from './scenarios.mjs';

const WARM_UP = 400;
const GROUPS = 50;

const [scenario, dist, together] = process.argv.slice(2);
const send = groupsOf(await appOf(scenario, dist), Number(together));
for (let n = 0; n < WARM_UP; n++) await send();
globalThis.gc();
const before = process.memoryUsage().heapUsed;
for (let n = 0; n < GROUPS; n++) await send();
console.log(Math.round((process.memoryUsage().heapUsed - before) / GROUPS / Number(together)));
process.exit();
