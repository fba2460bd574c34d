import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

/** An agent with its own MCP session. */
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

  /** Returns the text of a tool, or `refused: ` and the reason. */
  async call(name: string): Promise<string> {
    const { content, isError } = await this.#client.callTool({ name });
    const said = (content as ReadonlyArray<{ text: string }>).map(({ text }) => text).join('');
    return isError ? `refused: ${said}` : said;
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
