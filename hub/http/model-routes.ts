import { models } from '@adbreak/shared/contract/http/models.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { planFor } from '../commands/plans.js';
import { devicesOf } from '../fleet/members.js';
import { nameOf } from '../identity/secrets.js';
import { usualPlan } from '../rollouts/lifecycle/plans.js';
import type { HttpContext } from './context.js';
import { lineageOf, modelLine, versionLine } from './model-view.js';
import { knownModel, knownVersion } from './names.js';
import { promotionOf } from './promotion.js';
import { view } from './rollout-view.js';
import type { Register } from './route.js';
import { Turns } from './turns.js';

/**
 * Models that come, one at a time whoever sends them: each is on the disk while it comes, and whole in memory
 * while it is looked at.
 */
export function uploadTurns(): Turns {
  return new Turns({ waiting: 4, ms: 20_000, again: 30, doing: 'take the model now' });
}

/** The registry, and what moves its versions: paths and words are those that existing scripts use. */
export function modelRoutes(register: Register, context: HttpContext, uploads: Turns): void {
  const { store, registry } = context;

  register(models.list, () => ({
    models: Object.keys(store.state.models).map((name) => ({
      ...modelLine(store.state, name),
      versions: Object.keys(knownModel(store.state, name, 'list').versions),
    })),
  }));
  register(models.show, ({ params: { name } }) => {
    const { versions, exceptions } = knownModel(store.state, name, 'show');
    const lines = Object.keys(versions).map((version) => versionLine(store.state, name, version));
    // Of those registered in the same moment the later one stands first too.
    const newestFirst = lines.reverse().sort((a, b) => Date.parse(b.registered) - Date.parse(a.registered));
    return { ...modelLine(store.state, name), versions: newestFirst, exceptions };
  });
  register(models.showVersion, ({ params }) => {
    const { number, entry } = knownVersion(store.state, params, 'show');
    return {
      model_name: params.name,
      ...versionLine(store.state, params.name, number),
      was_production: entry.wasProduction,
      manifest: entry.manifest,
      evaluations: entry.evaluations,
      lineage: lineageOf(store.state, params.name, entry.manifest),
    };
  });
  register(models.manifest, ({ params }) => knownVersion(store.state, params, 'describe').entry.manifest);
  register(models.download, async ({ params }) => {
    const { manifest } = knownVersion(store.state, params, 'download').entry;
    const body = await registry.artifact(manifest.digest);
    if (body === undefined)
      throw new AdbreakError(
        'not_found',
        `Cannot download ${params.name} ${params.version}: its file is gone`,
        {
          remedy: 'Restore the registry from a backup: `adbreak hub check` names what is missing.',
        },
      );
    const headers = {
      'content-disposition': `attachment; filename="${params.name}.tflite"`,
      'x-model-version': manifest.version,
      link: `</api/v1/models/${params.name}/versions/${manifest.version}/manifest>; rel="describedby"`,
    };
    return { body, headers };
  });
  register(models.upload, async ({ who, params, form }) => {
    const end = await uploads.take('');
    try {
      const { manifest, model: upload } = await form((file) => registry.receive(file));
      await using model = upload;
      const facts = await registry.register(model, Buffer.from(manifest), nameOf(who), params);
      return { name: facts.name, version: facts.version, digest: facts.digest };
    } finally {
      end();
    }
  });
  promotion(register, context);
  words(register, context);
}

const ALIASES_LIMIT = 50;
/** Names and notes of versions: they move nothing. */
function words(register: Register, { store }: HttpContext): void {
  register(models.alias, async ({ who, params: { name, alias }, body: { version } }) => {
    knownModel(store.state, name, 'name a version of');
    if (version !== null) knownVersion(store.state, { name, version }, 'name');
    await store.change((state, writing) => {
      const model = state.models[name];
      const { [alias]: before, ...others } = model?.aliases ?? {};
      if (version !== null && Object.keys(others).length >= ALIASES_LIMIT)
        throw new AdbreakError('conflict', `Cannot name ${alias}: ${name} has ${ALIASES_LIMIT} aliases`, {
          remedy: `Take one away: \`adbreak models alias ${name} ALIAS --remove\`.`,
        });
      const after = version === null ? others : { ...others, [alias]: version };
      if (model !== undefined) model.aliases = after;
      const audit = { what: 'model.alias', subject: `${name} ${alias}`, before, after: version };
      writing.audit({ who: nameOf(who), ...audit });
    });
    return { model_name: name, alias, version };
  });
  register(models.note, async ({ who, params, body: { notes } }) => {
    const { number } = knownVersion(store.state, params, 'write about');
    await store.change(
      (state) => {
        const entry = state.models[params.name]?.versions[number];
        if (entry !== undefined) entry.notes = notes;
      },
      { who: nameOf(who), what: 'model.note', subject: `${params.name} ${number}`, after: { notes } },
    );
    return { model_name: params.name, version: number, notes };
  });
}

function promotion(register: Register, context: HttpContext): void {
  const { store, executor, plans } = context;

  register(models.promote, async ({ who, params, body }) => {
    const { name } = params;
    // An alias may be moved meanwhile: what is promoted is what it stood for when it was said.
    const version = knownVersion(store.state, params, 'promote').number;
    const own = await planFor(context, who, body.plan, {
      otherwise: usualPlan(plans, devicesOf(store.state, name).length),
      subject: `${name} ${version}`,
    });
    const { plan, ceiling } = promotionOf(body, own);
    const rollout = await executor.promote({
      model: name,
      version,
      percent: ceiling,
      plan,
      supersede: body.supersede,
      who: nameOf(who),
    });
    return {
      model_name: name,
      version,
      rollout: rollout === null ? null : view(rollout),
      production: ownValue(store.state.models, name)?.production ?? null,
    };
  });
}
