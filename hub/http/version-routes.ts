import { models } from '@adbreak/shared/contract/http/models.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { forgetVersion, refuseNeeded } from '../fleet/retire.js';
import { nameOf } from '../identity/secrets.js';
import type { HttpContext } from './context.js';
import { knownVersion } from './names.js';
import type { Register } from './route.js';

/** The end of versions: out of sight, or gone. */
export function versionRoutes(register: Register, context: HttpContext): void {
  const { store, executor, registry, now } = context;

  register(models.archive, ({ who, params, body: { archived } }) => {
    const { number } = knownVersion(store.state, params, 'archive');
    const subject = { model: params.name, version: number };
    // Between the look and the change no rollout may begin.
    return executor.betweenRollouts(params.name, async () => {
      const { entry: before } = knownVersion(store.state, params, 'archive');
      const isSame = (before.archived ?? false) === archived;
      if (archived) refuseNeeded(store.state, subject, 'archive');
      if (!isSame)
        await store.change(
          (state) => {
            if (archived) refuseNeeded(state, subject, 'archive');
            const entry = state.models[params.name]?.versions[number];
            if (entry !== undefined) entry.archived = archived;
          },
          {
            who: nameOf(who),
            what: archived ? 'model.archive' : 'model.unarchive',
            subject: `${params.name} ${number}`,
          },
        );
      return { model_name: params.name, version: number, archived };
    });
  });
  register(models.remove, ({ who, params: { name, version }, body: { reason } }) => {
    knownVersion(store.state, { name, version }, 'delete');
    if (!registry.signsTargets)
      throw new AdbreakError(
        'conflict',
        `Cannot delete ${name} ${version}: the targets key lies elsewhere, and a list from there only adds`,
        { remedy: `Archive it: \`adbreak models archive ${name} ${version}\`.` },
      );
    return executor.betweenRollouts(name, async () => {
      const digest = await store.change(
        (state) => {
          const { entry } = knownVersion(state, { name, version }, 'delete');
          refuseNeeded(state, { model: name, version }, 'delete');
          forgetVersion(state, name, version, now());
          return entry.manifest.digest;
        },
        { who: nameOf(who), what: 'model.delete', subject: `${name} ${version}`, after: { reason } },
      );
      // Its rows are gone: what of this does not come to its end, the night's collection brings there.
      await registry.withdraw(name, version);
      await registry.collect(now());
      return { model_name: name, version, digest };
    });
  });
}
