import type { Request, Response } from 'express';
import type { DenialRenderer } from '../denial/denial.js';
import type { HeaderSnapshot } from '../denial/entry-headers.js';
import type { StoreAccess } from '../known-sessions/store-access.js';
import type { RequestId } from '../provenance/request-id.js';
import type { SessionResolver } from '../session/resolved-session.js';
import type { MissingSessions } from './missing-sessions.js';
import type { RequestObserver } from './request-observer.js';
import type { MountTrace } from './request-trace.js';
import type { SecurityProperty } from './security-property.js';

/** What all requests of one `aplSessionMiddleware()` share. */
export interface Mount {
  readonly access: StoreAccess;
  readonly session: SessionResolver;
  readonly sessionless: 'allow' | 'deny';
  readonly sessions: 'any' | 'enrolled';
  readonly missingSessions: MissingSessions;
  readonly denial: DenialRenderer;
  /** Renders the denials of store failures, also of failures in guards; without it, they are rendered like all others. */
  readonly unavailable: DenialRenderer | undefined;
  readonly trace: MountTrace;
  /** For the origins of labels. */
  readonly requestId: RequestId;
  readonly property: SecurityProperty;
}

/** One request and its response, as the middleware received them. */
export interface Exchange {
  readonly req: Request;
  readonly res: Response;
  readonly mount: Mount;
  readonly headersAtEntry: HeaderSnapshot;
  /** `undefined` if the debug output is off and events have no subscriber. */
  readonly trace: RequestObserver | undefined;
}
