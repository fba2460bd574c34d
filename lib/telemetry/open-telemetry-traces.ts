import type { Attributes, SpanStatusCode, Tracer, TracerProvider } from '@opentelemetry/api';
import Joi from 'joi';
import type { AppendEvent, HoldEvent, LoadEvent } from '../contract/events.js';
import { VERSION } from '../contract/version.js';
import { parseOptions } from '../options/parse-options.js';
import { epochMs } from '../util/clock.js';
import { subscribeToEvents } from './event-subscription.js';
import type { OpenTelemetrySubscription } from './open-telemetry-metrics.js';
import { assertProvider } from './provider.js';

export interface OpenTelemetryTracesOptions {
  /** `trace` of `@opentelemetry/api`, or a `TracerProvider`. */
  readonly tracerProvider: Pick<TracerProvider, 'getTracer'>;
}

const schema = Joi.object<Required<OpenTelemetryTracesOptions>>({
  tracerProvider: Joi.any().required(),
});

const hints = { tracerProvider: "Write tracerProvider: trace, with trace of '@opentelemetry/api'." };

/** The value of `SpanStatusCode.ERROR`: this file must load without OpenTelemetry. */
const ERROR = 2 satisfies SpanStatusCode.ERROR;
/** The value that OpenTelemetry has for an error without a code. */
const NO_CODE = '_OTHER';

/** Tracers copy attributes. */
const CALL_ATTRIBUTES: Readonly<Record<(LoadEvent | AppendEvent)['outcome'], Attributes>> = Object.freeze({
  loaded: Object.freeze({ 'express_apl_session.outcome': 'loaded' }),
  appended: Object.freeze({ 'express_apl_session.outcome': 'appended' }),
  failed: Object.freeze({ 'express_apl_session.outcome': 'failed' }),
});

interface Step {
  readonly name: string;
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly errorType?: string | undefined;
}

/**
 * Makes spans of the loads, appends and holds of all middlewares of this process, in the traces of their requests. A span is
 * made when its step has ended. No span holds a label, the id of a session or a subject.
 *
 * @throws AplSessionError `config.invalid`
 *
 * @example
 * import { trace } from '@opentelemetry/api';
 *
 * openTelemetryTraces({ tracerProvider: trace });
 */
export function openTelemetryTraces(options: OpenTelemetryTracesOptions): OpenTelemetrySubscription {
  parseOptions('openTelemetryTraces', schema, options, hints);
  // not from parseOptions(): joi copies objects
  const { tracerProvider } = options;
  assertProvider('openTelemetryTraces', tracerProvider, 'tracerProvider', 'getTracer', hints.tracerProvider);
  const tracer = tracerProvider.getTracer('express-apl-session', VERSION);
  const close = subscribeToEvents({
    load: (event) => addSpan(tracer, callStep('load', event)),
    append: (event) => addSpan(tracer, callStep('append', event)),
    hold: (event) => {
      if (event.outcome !== 'held') addSpan(tracer, holdStep(event));
    },
  });
  return Object.freeze({ close });
}

function callStep(operation: 'load' | 'append', { outcome, durationMs, code }: LoadEvent | AppendEvent): Step {
  return {
    name: operation === 'load' ? 'apl_session.load' : 'apl_session.append',
    durationMs,
    attributes: CALL_ATTRIBUTES[outcome],
    errorType: outcome === 'failed' ? (code ?? NO_CODE) : undefined,
  };
}

function holdStep({ outcome, durationMs, route }: HoldEvent): Step {
  return {
    name: 'apl_session.hold',
    durationMs,
    attributes: { 'express_apl_session.outcome': outcome, 'express_apl_session.route': route },
    errorType: outcome === 'cut' ? 'cut' : undefined,
  };
}

/** The tracer finds the parent span in the asynchronous context of the request, in which events are published. */
function addSpan(tracer: Tracer, { name, durationMs, attributes, errorType }: Step): void {
  const endMs = epochMs();
  const span = tracer.startSpan(name, { startTime: endMs - durationMs, attributes });
  if (errorType !== undefined) span.setAttribute('error.type', errorType).setStatus({ code: ERROR });
  span.end(endMs);
}
