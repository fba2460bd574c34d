import type { CustomHelpers } from 'joi';
import type { AlarmLogger } from '../contract/alarms.js';

/**
 * The default logger: winston writes one JSON object per line to standard error. winston is loaded when the first alarm
 * needs it, so an app with a logger of its own never loads it.
 */
export class DefaultLogger implements AlarmLogger {
  #logger: Promise<AlarmLogger> | undefined;

  warn(message: string, fields: object): void {
    this.#log('warn', message, fields);
  }

  error(message: string, fields: object): void {
    this.#log('error', message, fields);
  }

  #log(level: keyof AlarmLogger, message: string, fields: object): void {
    this.#logger ??= loadWinston();
    this.#logger.then((logger) => logger[level](message, fields)).catch(() => console[level](message, fields));
  }
}

async function loadWinston(): Promise<AlarmLogger> {
  const { default: winston } = await import('winston');
  return winston.createLogger({
    level: 'warn',
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: ['warn', 'error'] })],
  });
}

/** A rule for joi: the value has the methods that an {@link AlarmLogger} needs. */
export function loggerLike(value: unknown, { error }: CustomHelpers): unknown {
  const logger = value as Partial<AlarmLogger> | null;
  return typeof logger?.warn === 'function' && typeof logger.error === 'function'
    ? value
    : error('any.custom', { error: new Error('warn and error must be functions') });
}
