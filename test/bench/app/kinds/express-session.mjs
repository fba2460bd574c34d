/** express-session with connect-redis and its own client, as their documents say. */
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';

export async function mount(app) {
  const client = createClient({ url: process.env.BENCH_VALKEY });
  await client.connect();
  app.use(
    session({
      store: new RedisStore({ client }),
      secret: process.env.BENCH_COOKIE_SECRET,
      resave: false,
      saveUninitialized: false,
    }),
  );
  let count = 0;
  return {
    taint(req) {
      req.session.count = ++count;
    },
  };
}
