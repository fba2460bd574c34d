import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

/** An agent with an MCP session of its own. */
export class Agent {
  readonly #client = new Client({ name: 'agent', version: '1.0.0' });

  static async connect(origin: string, token: string): Promise<Agent> {
    const agent = new Agent();
    const transport = new StreamableHTTPClientTransport(new URL('/mcp', origin), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    await agent.#client.connect(transport as Parameters<Client['connect']>[0]);
    return agent;
  }

  /** What a tool says, or `refused: ` and why. */
  async call(name: string): Promise<string> {
    const { content, isError } = await this.#client.callTool({ name });
    const said = (content as ReadonlyArray<{ text: string }>).map(({ text }) => text).join('');
    return isError ? `refused: ${said}` : said;
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
