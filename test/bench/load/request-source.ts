/** Which requests a scenario sends. Sent to the load process, so it is plain data. */
export interface RequestShape {
  readonly path: string;
  /**
   * `pool`: sessions 0 to `sessions - 1` of the pool, over and over; `fresh`: a new session each time;
   * `none`: headers of the same length that name no subject and no session; `cookie`: the given cookies, over and over.
   */
  readonly session: 'pool' | 'fresh' | 'none' | 'cookie';
  readonly pool?: string;
  readonly sessions?: number;
  readonly cookies?: readonly string[];
}

const DIGITS = 12;

/** The session id that is sent for number `n` of a pool. */
export function sessionIdOf(pool: string, n: number): string {
  return `${pool}-${String(n).padStart(DIGITS, '0')}`;
}

let freshSessions = Date.now() % 1_000_000_000;

/** Makes the text of one request after the other. */
export function requestSource(shape: RequestShape): () => string {
  const subject = shape.session === 'none' ? 'x-nobody:' : 'x-subject:';
  const head = `GET ${shape.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n${subject} alice\r\n`;
  const end = '\r\n\r\n';
  const { pool = 'pool', sessions = 1 } = shape;
  let n = 0;
  if (shape.session === 'cookie') {
    const { cookies = [] } = shape;
    return () => `${head}Cookie: ${cookies[n++ % cookies.length]}${end}`;
  }
  // a large pool is walked in steps, so that neighbours in memory are not asked for one after the other
  const step = sessions > 10_000 ? 7_919 : 1;
  const header = shape.session === 'none' ? 'mcp-unknown-id' : 'mcp-session-id';
  if (shape.session === 'fresh') {
    return () => `${head}${header}: ${sessionIdOf('fresh', freshSessions++)}${end}`;
  }
  return () => `${head}${header}: ${sessionIdOf(pool, (n++ * step) % sessions)}${end}`;
}
