import { sessionPerRequest } from '../support/gated-server.js';
import 'reflect-metadata';
import { createRequire } from 'node:module';
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { initTRPC } from '@trpc/server';
import { createExpressMiddleware } from '@trpc/server/adapters/express';
import { expect } from 'chai';
import type { Express, Request, RequestHandler, Response } from 'express';
import { GraphQLError, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/express';
import { currentSecurity, securityContext } from '../../lib/context.js';
import { aplSessionMiddleware, PolicyViolation } from '../../lib/index.js';
import { deferred } from '../support/deferred.js';
import { EXPRESS_VERSIONS } from '../support/express-versions.js';
import { ScriptedStore } from '../support/failing-stores.js';
import { type KeptAnswer, KeptConnection } from '../support/kept-connection.js';
import { serve } from '../support/raw-http.js';

/** Their types are missing, or not for this project's strictness. */
const require = createRequire(import.meta.url);
const Koa = require('koa') as new () => {
  silent: boolean;
  use(middleware: (ctx: { body: string }) => Promise<void>): void;
  callback(): RequestHandler;
};
const { createSchema, createYoga } = require('graphql-yoga') as {
  createSchema(options: object): object;
  createYoga(options: object): RequestHandler;
};

const VIOLATION = { code: 'session_tainted', reason: 'session touched secret data' };
const SALARY = 'salary-4711';
const CAUSE = 'the salary table was read';

/** What the code of an app does, wherever the framework calls it. */
type Act = () => string | Promise<string>;

/** Mounts a framework with one route, tool or resolver, whose behaviour the test sets. */
interface Framework {
  /** @param onError called with errors of the app's code, if the framework reports them */
  mount(
    app: Express,
    act: Act,
    onError?: (error: unknown) => void,
  ): Promise<RequestHandler> | RequestHandler | Promise<void>;
  ask(connection: KeptConnection): Promise<KeptAnswer>;
  /** What the client gets if that throws a PolicyViolation. */
  expectThrown(answer: KeptAnswer): void;
  /** Tells of errors, and makes no denial of a PolicyViolation itself. */
  readonly hasHook?: true;
}

const QUERY = { query: '{ act }' };
const schemaOf = (act: Act): GraphQLSchema =>
  new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { act: { type: GraphQLString, resolve: act } } }),
  });
const askGraphQL = (connection: KeptConnection): Promise<KeptAnswer> => connection.ask('/graphql', QUERY);
const expectGraphQLError =
  (status: number, message: string, code: string) =>
  (answer: KeptAnswer): void => {
    const [error] = JSON.parse(answer.text).errors;
    expect(answer.status).to.equal(status);
    expect({ message: error.message, code: error.extensions.code }).to.deep.equal({ message, code });
  };

const FRAMEWORKS: Readonly<Record<string, Framework>> = {
  'graphql-http': {
    mount: (_app, act) => createHandler({ schema: schemaOf(act) }) as unknown as RequestHandler,
    ask: askGraphQL,
    expectThrown: expectGraphQLError(200, VIOLATION.reason, VIOLATION.code),
  },
  Apollo: {
    async mount(_app, act) {
      const server = new ApolloServer({
        typeDefs: 'type Query { act: String }',
        resolvers: { Query: { act } },
        stopOnTerminationSignals: false,
      });
      await server.start();
      return expressMiddleware(server) as unknown as RequestHandler;
    },
    ask: askGraphQL,
    expectThrown: expectGraphQLError(403, VIOLATION.reason, VIOLATION.code),
  },
  Yoga: {
    mount(_app, act, onError) {
      const schema = createSchema({ typeDefs: 'type Query { act: String }', resolvers: { Query: { act } } });
      const maskError = (error: GraphQLError, message: string) => {
        onError?.(error.originalError);
        return new GraphQLError(message);
      };
      return createYoga({ schema, logging: false, ...(onError && { maskedErrors: { maskError } }) });
    },
    ask: askGraphQL,
    // the words of an error that is not of GraphQL are masked, and its code
    expectThrown: expectGraphQLError(403, 'Unexpected error.', 'INTERNAL_SERVER_ERROR'),
    hasHook: true,
  },
  tRPC: {
    mount(_app, act, onError) {
      const { router, procedure } = initTRPC.create({ isDev: false });
      return createExpressMiddleware({
        router: router({ act: procedure.query(act) }),
        onError: ({ error }) => onError?.(error.cause),
      }) as unknown as RequestHandler;
    },
    ask: (connection) => connection.ask('/trpc/act'),
    // it asks an error for its own class only
    expectThrown({ status, text }) {
      expect(status).to.equal(500);
      expect(JSON.parse(text).error).to.deep.equal({
        message: VIOLATION.reason,
        code: -32603,
        data: { code: 'INTERNAL_SERVER_ERROR', httpStatus: 500, path: 'act' },
      });
    },
    hasHook: true,
  },
  'the MCP SDK': {
    async mount(_app, act) {
      const handler: RequestHandler = async (req, res) => {
        const server = new McpServer({ name: 'test', version: '1.0.0' });
        server.registerTool('act', {}, async () => ({ content: [{ type: 'text', text: await act() }] }));
        const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true } as never);
        await server.connect(transport as never);
        await transport.handleRequest(req, res, req.body);
      };
      return handler;
    },
    ask: (connection) =>
      connection.ask(
        '/mcp',
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'act', arguments: {} } },
        { Accept: 'application/json, text/event-stream' },
      ),
    expectThrown({ status, text }) {
      expect(status).to.equal(200);
      expect(JSON.parse(text).result).to.deep.equal({
        content: [{ type: 'text', text: VIOLATION.reason }],
        isError: true,
      });
    },
  },
  Nest: {
    async mount(app, act) {
      class ActController {
        act(): string | Promise<string> {
          return act();
        }
      }
      Get('act')(
        ActController.prototype,
        'act',
        Object.getOwnPropertyDescriptor(ActController.prototype, 'act') as PropertyDescriptor,
      );
      Controller()(ActController);
      class AppModule {}
      Module({ controllers: [ActController] })(AppModule);
      const nest = await NestFactory.create(AppModule, new ExpressAdapter(app), { logger: false, bodyParser: false });
      await nest.init();
    },
    ask: (connection) => connection.ask('/act'),
    expectThrown: (answer) => {
      expect(answer.status).to.equal(403);
      expect(JSON.parse(answer.text)).to.deep.equal({ statusCode: 403, message: VIOLATION.reason });
    },
  },
  Koa: {
    mount(_app, act) {
      const koa = new Koa();
      koa.silent = true;
      koa.use(async (ctx) => {
        ctx.body = await act();
      });
      return koa.callback();
    },
    ask: (connection) => connection.ask('/act'),
    expectThrown: (answer) =>
      expect({ status: answer.status, text: answer.text }).to.deep.equal({ status: 403, text: VIOLATION.reason }),
  },
};

for (const [version, express] of EXPRESS_VERSIONS) {
  for (const [name, framework] of Object.entries(FRAMEWORKS)) {
    describe(`${name} on ${version}`, () => {
      const cleanUp: Array<() => unknown> = [];
      afterEach(async () => {
        for (const clean of cleanUp.splice(0).reverse()) await clean();
      });

      async function start(act: Act, onError?: (error: unknown) => void): Promise<KeptConnection> {
        const app = express().set('env', 'test');
        app.use(express.json());
        app.use(
          aplSessionMiddleware({
            session: sessionPerRequest(),
            store: new ScriptedStore(),
            logger: { warn() {}, error() {} },
          }),
        );
        app.use(securityContext());
        app.get('/next', (_req: Request, res: Response) => void res.send('served'));
        const handler = await framework.mount(app, act, onError);
        if (handler) app.use(name === 'tRPC' ? '/trpc' : '/', handler);
        const server = await serve(app);
        const connection = new KeptConnection(server.port);
        cleanUp.push(server.close, () => connection.close());
        return connection;
      }

      const turn = () => new Promise((resolve) => setImmediate(resolve));

      for (const when of ['at once', 'after its answer has left'] as const) {
        it(`G2: code that denies and goes on ${when}: the 403, and no throw`, async () => {
          let acted: Promise<unknown> = Promise.resolve();
          const answered = deferred<void>();
          const connection = await start(() => {
            currentSecurity().deny(VIOLATION);
            const result = when === 'at once' ? Promise.resolve(SALARY) : answered.promise.then(() => SALARY);
            acted = result;
            return result;
          });
          const answer = await framework.ask(connection);
          answered.resolve();
          expect(answer.status).to.equal(403);
          expect(JSON.parse(answer.text)).to.include({ code: VIOLATION.code, detail: VIOLATION.reason });
          await acted;
          for (let n = 0; n < 5; n++) await turn();
          const next = await connection.ask('/next');
          expect({ status: next.status, text: next.text }).to.deep.equal({ status: 200, text: 'served' });
          expect(connection.connections).to.equal(1);
        });
      }

      it('G2: code that denies later and then throws: the 403, and no crash', async () => {
        const connection = await start(async () => {
          for (let n = 0; n < 3; n++) await turn();
          currentSecurity().deny(VIOLATION);
          throw new Error(SALARY);
        });
        const answer = await framework.ask(connection);
        expect(answer.status).to.equal(403);
        expect(JSON.parse(answer.text)).to.include({ code: VIOLATION.code, detail: VIOLATION.reason });
        for (let n = 0; n < 5; n++) await turn();
        expect((await connection.ask('/next')).text).to.equal('served');
        expect(connection.connections).to.equal(1);
      });

      it('a thrown PolicyViolation reaches the client without its cause', async () => {
        const connection = await start(() => {
          throw new PolicyViolation(VIOLATION, { cause: new Error(CAUSE) });
        });
        const answer = await framework.ask(connection);
        framework.expectThrown(answer);
        expect(JSON.stringify(answer)).not.to.include(CAUSE);
        expect((await connection.ask('/next')).text).to.equal('served');
      });

      if (framework.hasHook) {
        it('a thrown PolicyViolation is the denial where the error hook denies', async () => {
          const connection = await start(
            () => {
              throw new PolicyViolation(VIOLATION, { cause: new Error(CAUSE) });
            },
            (error) => {
              if (error instanceof PolicyViolation) currentSecurity().deny(error);
            },
          );
          const answer = await framework.ask(connection);
          expect(answer.status).to.equal(403);
          expect(JSON.parse(answer.text)).to.include({ code: VIOLATION.code, detail: VIOLATION.reason });
          expect(JSON.stringify(answer)).not.to.include(CAUSE);
          expect((await connection.ask('/next')).text).to.equal('served');
          expect(connection.connections).to.equal(1);
        });
      }
    });
  }
}
