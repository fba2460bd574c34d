/** Serves the app of a scenario on a free port, and prints the port. strace counts the kernel calls. Usage: SCENARIO DIST */
import { appOf } from './scenarios.mjs';

const [scenario, dist] = process.argv.slice(2);
const { app } = await appOf(scenario, dist);
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
// the parent closes the input when it has its answers
process.stdin.resume().once('end', () => process.exit());
