// #region docs
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { PolicyViolation } from 'express-apl-session';
import { currentSecurity } from 'express-apl-session/context';

/** Data access: knows labels, and neither requests nor MCP. */
function readSalaries(): object {
  currentSecurity().labels.add('secret');
  return { 'software engineer': 98_000 };
}

function sendMail(): string {
  if (currentSecurity().labels.has('secret')) {
    throw new PolicyViolation({ code: 'session_tainted', reason: 'session touched secret data' });
  }
  return 'sent';
}

export function createServer(): McpServer {
  const server = new McpServer({ name: 'compensation', version: '1.0.0' });
  server.registerTool('read_salaries', { description: 'Salaries by role' }, () => text(JSON.stringify(readSalaries())));
  server.registerTool('send_mail', { description: 'Sends a mail' }, () => text(sendMail()));
  return server;
}
// #endregion

function text(content: string) {
  return { content: [{ type: 'text' as const, text: content }] };
}
