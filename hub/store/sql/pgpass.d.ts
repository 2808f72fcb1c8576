declare module 'pgpass' {
  /** Looks for a password in PGPASSFILE or ~/.pgpass, which must be its owner's alone. */
  export default function pgpass(
    where: { host: string; port: number; user: string; database: string },
    found: (password: string | undefined) => void,
  ): void;
}
