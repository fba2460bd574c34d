/** express-rate-limit with rate-limit-redis over ioredis, counting by the session header. */
import { rateLimit } from 'express-rate-limit';
import { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';

export async function mount(app) {
  const client = new Redis(process.env.BENCH_VALKEY);
  app.use(
    rateLimit({
      windowMs: 3_600_000,
      limit: 1_000_000_000,
      keyGenerator: (req) => req.get('mcp-session-id') ?? 'none',
      store: new RedisStore({ sendCommand: (command, ...args) => client.call(command, ...args) }),
    }),
  );
  return { taint: undefined };
}
