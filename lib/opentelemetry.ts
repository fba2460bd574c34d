export {
  type OpenTelemetryMetricsOptions,
  type OpenTelemetrySubscription,
  openTelemetryMetrics,
} from './telemetry/open-telemetry-metrics.js';
export { type OpenTelemetryTracesOptions, openTelemetryTraces } from './telemetry/open-telemetry-traces.js';
