/** Sends GROUPS groups of requests to the app of a scenario, and exits. Valgrind counts the instructions. Usage: SCENARIO DIST GROUPS TOGETHER */
import { groupsOf } from './requests.mjs';
import { appOf } from './scenarios.mjs';

const [scenario, dist, groups, together] = process.argv.slice(2);
const send = groupsOf(await appOf(scenario, dist), Number(together));
for (let n = 0; n < Number(groups); n++) await send();
process.exit();
