/** Roles of people and scripts, least first: each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Who may call a route. `public` and the certificates are said as outright as a role: nothing is open because
 * somebody has said nothing. `visitor` is public too, and is told who it is where somebody is signed in: for
 * the pages around signing in. `late-device` also takes a certificate that has ended; what it is still good
 * for, its route decides.
 */
export type Access = 'public' | 'visitor' | 'device' | 'late-device' | Role;

export function isRole(access: Access): access is Role {
  return ROLES.some((role) => role === access);
}

/** Whether who has one role may do what takes another. */
export function mayAs(own: Role, needed: Role): boolean {
  return ROLES.indexOf(own) >= ROLES.indexOf(needed);
}
