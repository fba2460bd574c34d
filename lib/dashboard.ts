export { type Dashboard, dashboard } from './dashboard/dashboard.js';
export type { DashboardAccess, DashboardOptions } from './dashboard/dashboard-options.js';
