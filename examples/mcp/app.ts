import { randomUUID } from 'node:crypto';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import express, { type Request, type RequestHandler } from 'express';
import { type AplSessionOptions, aplSessionMiddleware, subjectSession } from 'express-apl-session';
import { securityContext } from 'express-apl-session/context';

/** An MCP server over streamable HTTP: one `McpServer` for each MCP session. */
export function createApp(createServer: () => McpServer, options: Pick<AplSessionOptions, 'store' | 'logger'> = {}) {
  const servers = new McpSessions(createServer);
  const aplSession = aplSessionMiddleware({
    session: subjectSession({ subject: subjectOf, sessionId: (req) => req.get('mcp-session-id') }),
    sessionless: 'deny',
    ...options,
  });

  const app = express();
  app.use(authenticate);
  app.use(express.json());
  app.use(aplSession);
  app.use(securityContext());
  app.all('/mcp', async (req, res) => {
    const transport = await servers.transportFor(req);
    if (transport) await transport.handleRequest(req, res, req.body);
    else res.status(404).json({ error: 'no such MCP session' });
  });
  return {
    app,
    async close() {
      await servers.close();
      await aplSession.close();
    },
  };
}

/** The MCP sessions of this process. Only the subject that has opened a session can use it. */
class McpSessions {
  readonly #createServer: () => McpServer;
  readonly #transports = new Map<string, StreamableHTTPServerTransport>();

  constructor(createServer: () => McpServer) {
    this.#createServer = createServer;
  }

  async transportFor(req: Request): Promise<StreamableHTTPServerTransport | undefined> {
    const sessionId = req.get('mcp-session-id');
    if (sessionId !== undefined) return this.#transports.get(keyOf(req, sessionId));
    if (!isInitializeRequest(req.body)) return undefined;
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void this.#transports.set(keyOf(req, id), transport),
      onsessionclosed: (id) => void this.#transports.delete(keyOf(req, id)),
    });
    await this.#createServer().connect(transport as Parameters<McpServer['connect']>[0]);
    return transport;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }
}

function keyOf(req: Request, sessionId: string): string {
  return JSON.stringify([subjectOf(req), sessionId]);
}

/** The users of this example, by bearer token. A real app verifies its tokens. */
const SUBJECTS: ReadonlyMap<string, string> = new Map([
  ['alice-token', 'alice'],
  ['bob-token', 'bob'],
]);

function subjectOf(req: Request): string | undefined {
  return SUBJECTS.get(req.get('authorization')?.replace(/^Bearer /, '') ?? '');
}

const authenticate: RequestHandler = (req, res, next) => {
  if (subjectOf(req)) next();
  else res.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'unknown token' });
};
