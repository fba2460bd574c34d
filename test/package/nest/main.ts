import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { Controller, Get, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { aplSessionMiddleware, denyIf, taint } from 'express-apl-session';
import { currentSecurity, securityContext } from 'express-apl-session/context';

@Controller()
class AppController {
  @Get('secret')
  secret(): string[] {
    return [...currentSecurity().labels];
  }

  @Get('out')
  out(): string {
    return 'sent';
  }
}

@Module({ controllers: [AppController] })
class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(taint('secret')).forRoutes('secret');
    consumer.apply(denyIf('secret', { code: 'session_tainted', reason: 'no' })).forRoutes('out');
  }
}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  const aplSession = aplSessionMiddleware({ session: (req) => req.get('x-session') });
  app.use(aplSession, securityContext());
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/${path}`, { headers: { 'x-session': 'one' } });
    return `${response.status} ${await response.text()}`;
  };
  assert.equal(await get('out'), '200 sent');
  assert.equal(await get('secret'), '200 ["secret"]');
  assert.match(await get('out'), /^403 .*"code":"session_tainted"/);
  await app.close();
  await aplSession.close();
  console.log('nest: ok');
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
