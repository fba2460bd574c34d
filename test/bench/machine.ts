import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';
import { dirname, join } from 'node:path';
import type { Machine } from './results.js';

const PACKAGES = [
  'express',
  'ioredis',
  'express-session',
  'connect-redis',
  'redis',
  'express-rate-limit',
  'rate-limit-redis',
];

export function describeMachine(valkeyVersion: string, pinned: boolean): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    pinned,
    versions: {
      'Node.js': process.version.slice(1),
      'Valkey or Redis': valkeyVersion,
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    },
  };
}

/** Not every package exports its package.json. */
function versionOf(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === name) return manifest.version ?? '?';
    } catch {
      // no package.json here
    }
  }
  return '?';
}
