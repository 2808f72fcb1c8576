import type { Attack } from '../attack.js';
import { ELSEWHERE } from './elsewhere.js';
import { HTTP_FLOODS } from './floods.js';
import { GATE } from './gate.js';
import { GUESSING } from './guessing.js';
import { PATHS } from './paths.js';
import { REQUESTS } from './requests.js';
import { ROLE_ROWS } from './roles.js';
import { SESSIONS } from './sessions.js';

/** What people, their browsers, other machines and strangers can try over HTTP. */
export const HTTP: readonly Attack[] = [
  ...ROLE_ROWS,
  ...GUESSING,
  ...SESSIONS,
  ...GATE,
  ...PATHS,
  ...ELSEWHERE,
  ...REQUESTS,
  ...HTTP_FLOODS,
];
