import Joi from 'joi';
import type { StoreCheckOptions } from '../../../contract/session-store.js';
import { parseOptions } from '../../../options/parse-options.js';

const schema = Joi.object<Required<StoreCheckOptions>>({ repeatAlarms: Joi.boolean().default(false) });

/** @throws AplSessionError `config.invalid` */
export function parseCheckOptions(options: StoreCheckOptions): Required<StoreCheckOptions> {
  return parseOptions('check', schema, options);
}
