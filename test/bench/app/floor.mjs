/**
 * The floor: the least that a hand-written middleware can do with the same commands. No checks, no deadlines, no digest, and
 * a failure is an unhandled rejection.
 */
import { Redis } from 'ioredis';

export async function mountFloor(app, ttlSeconds) {
  const client = new Redis(process.env.BENCH_VALKEY, { enableAutoPipelining: true });

  app.use(async (req, _res, next) => {
    req.key = `taint:v1:${req.get('x-subject')}:${req.get('mcp-session-id')}`;
    const reading = client.smembers(req.key);
    if (ttlSeconds) client.expire(req.key, ttlSeconds);
    req.labels = new Set(await reading);
    next();
  });
  return {
    taint(req) {
      req.labels.add('secret');
      if (!ttlSeconds) return client.sadd(req.key, 'secret');
      return client.multi().sadd(req.key, 'secret').expire(req.key, ttlSeconds).exec();
    },
  };
}
