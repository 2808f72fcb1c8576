import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState } from '../store/state.js';

/** What a device runs where nobody has said anything. */
const USUAL_MODEL = 'base-ad-detector';

/** The settings' rule: `key=value` of a tag, and the model that it brings. The first one that fits decides. */
export type ModelByTag = Readonly<Record<string, string>>;

type Tags = Readonly<Record<string, string>>;
interface Brought {
  readonly tag: string;
  readonly model: string;
}

/** The model that one of these tags brings; null where none does. */
function broughtBy(tags: Tags, rules: ModelByTag): Brought | null {
  const own = new Set(Object.entries(tags).map(([key, value]) => `${key}=${value}`));
  const found = Object.entries(rules).find(([tag]) => own.has(tag));
  return found === undefined ? null : { tag: found[0], model: found[1] };
}

/**
 * The model of a device whose tags become these, where nobody names one: the one that they bring; the usual
 * one where the tag is gone that had brought what it runs; else the same as before.
 */
export function modelAfter(
  before: { readonly model: string; readonly tags: Tags },
  tags: Tags,
  rules: ModelByTag,
): string {
  const [brings, brought] = [broughtBy(tags, rules), broughtBy(before.tags, rules)];
  // A tag that was there already brings nothing anew: a person may have moved the device elsewhere since.
  if (brings !== null) return brings.tag === brought?.tag ? before.model : brings.model;
  return brought?.model === before.model ? USUAL_MODEL : before.model;
}

/**
 * The model of a card whose claim names none: as if its tags came now to the device that it was, or to one of
 * the usual model. One that has no production version yet does not count: a card is not refused for what
 * stands in the settings.
 */
export function modelAtEnrolment(
  { models }: Pick<HubState, 'models'>,
  known: { readonly model: string; readonly tags: Tags } | undefined,
  tags: Tags,
  rules: ModelByTag,
): string {
  const before = known ?? { model: USUAL_MODEL, tags: {} };
  const wanted = modelAfter(before, tags, rules);
  const isReady = (ownValue(models, wanted)?.production ?? null) !== null;
  return isReady ? wanted : before.model;
}
