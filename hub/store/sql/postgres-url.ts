export const FORM = 'postgres://USER@HOST:PORT/DATABASE';

/** Why a text is no address of a PostgreSQL database, in words that repeat nothing of it; null where it is one. */
export function urlProblem(url: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(url)) return `must begin with postgres://, as in ${FORM}`;
  if (!URL.canParse(url)) return `must be a URL, as in ${FORM}; %-escape what is no letter or digit`;
  const { pathname } = new URL(url);
  return pathname.length > 1 ? null : `must name a database, as in ${FORM}`;
}
