import type { Secret } from './mlflow-client.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * An MLflow server's address without what must not be shown, and the secret: from the address itself
 * (`https://user:password@host`), else from MLflow's own variables, of which a token goes before a name and a
 * password.
 */
export function addressOf(url: string, env: Environment): { url: string; secret: Secret } {
  const { username, password } = new URL(url);
  const [user, word] = [decodeURIComponent(username), decodeURIComponent(password)];
  return { url: withoutUser(url), secret: user === '' ? secretOf(env) : { user, password: word } };
}

/** An address as others may read it. */
export function withoutUser(url: string): string {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare.href;
}

function secretOf(env: Environment): Secret {
  const token = env['MLFLOW_TRACKING_TOKEN'];
  if (token) return { token };
  const user = env['MLFLOW_TRACKING_USERNAME'];
  return user ? { user, password: env['MLFLOW_TRACKING_PASSWORD'] ?? '' } : null;
}
