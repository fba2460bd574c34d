import type { CustomHelpers } from 'joi';
import type { AlarmLogger } from '../contract/alarms.js';

/** The default logger: winston, one JSON object per line on standard error. Loads winston when the first alarm is logged. */
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

/** A rule for joi: the value must have the methods of an {@link AlarmLogger}. */
export function loggerLike(value: unknown, { error }: CustomHelpers): unknown {
  const logger = value as Partial<AlarmLogger> | null;
  return typeof logger?.warn === 'function' && typeof logger.error === 'function'
    ? value
    : error('any.custom', { error: new Error('must have the methods warn and error, as console has') });
}
