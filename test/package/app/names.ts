// Compiles without `esModuleInterop`, where express itself has to be imported in another way.
import { AplSessionError, taint } from 'express-apl-session';
import { writeAhead } from 'express-apl-session/context';
import { valkeySessionStoreFactory } from 'express-apl-session/valkey';

console.log(AplSessionError, taint, writeAhead, valkeySessionStoreFactory);
