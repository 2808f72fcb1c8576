import { readFileSync } from 'node:fs';
import { hub } from '@adbreak/shared/contract/http/hub.js';
import { openApi } from '@adbreak/shared/contract/http/openapi.js';
import type { HttpContext } from './context.js';
import { roundView } from './evaluation-routes.js';
import { referencePage } from './reference.js';
import { view } from './rollout-view.js';
import type { Register } from './route.js';

/**
 * Styles and script are inline and hashed away by this policy's exactness: nothing is loaded from anywhere.
 */
const DASHBOARD_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** A page without a script. */
const REFERENCE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What the hub says of itself: that it is there, all of it at once for the operator's page, and its API. */
export function pageRoutes(register: Register, context: HttpContext): void {
  const { store, executor, now } = context;

  register(hub.health, () => ({ ok: true as const }));
  register(hub.overview, () => {
    const { devices, models, rollouts, evaluations } = store.state;
    return {
      at: now().toISOString(),
      devices: Object.values(devices).map(({ fingerprint: _, renewal: __, ...device }) => ({
        ...device,
        behindSince: executor.behindSince(device.id)?.toISOString() ?? null,
      })),
      models,
      rollouts: rollouts.map(view),
      evaluations: evaluations.map(roundView),
      events: context.events.slice(-50),
    };
  });

  const page = readFileSync(new URL('../../http/dashboard.html', import.meta.url), 'utf8');
  for (const contract of [hub.dashboard, hub.monitoring])
    register(contract, () => ({ body: page, headers: { 'content-security-policy': DASHBOARD_POLICY } }));
  // Frozen: its text is made once (route.ts).
  const document = Object.freeze(openApi());
  register(hub.openapi, () => document);
  const reference = referencePage(document);
  register(hub.reference, () => ({
    body: reference,
    headers: { 'content-security-policy': REFERENCE_POLICY },
  }));
}
