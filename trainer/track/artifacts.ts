import { dirname, relative, resolve, sep } from 'node:path';

/** A file and what it is called beside the run. */
interface Artifact {
  readonly path: string;
  /** With `/` between folders. */
  readonly name: string;
}

/** Files by their names below the deepest folder that has them all: `model.tflite`, `report/index.html`. */
export function artifactsOf(files: readonly string[]): Artifact[] {
  const folder = files.map((file) => resolve(dirname(file))).reduce(commonFolder, null);
  if (folder === null) return [];
  return files.map((path) => ({ path, name: relative(folder, resolve(path)).replaceAll(sep, '/') }));
}

function commonFolder(one: string | null, other: string): string {
  if (one === null || other === one || other.startsWith(`${one}${sep}`) || one === sep) return one ?? other;
  return commonFolder(dirname(one), other);
}

/**
 * Where the MLflow server itself keeps the files of a run, as a path below its artifacts: from the run's
 * artifact URI, `mlflow-artifacts:/1/RUN/artifacts` or with a host. Null for a store of its own (s3://, file
 * paths) and another host.
 */
export function artifactFolder(uri: string, server: string): string | null {
  if (!/^mlflow-artifacts:/.test(uri) || !URL.canParse(uri)) return null;
  const { host, pathname } = new URL(uri);
  if (host !== '' && host !== new URL(server).host) return null;
  return decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
}
