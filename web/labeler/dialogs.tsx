import { labellerName } from '@adbreak/shared/contract/labelling.js';
import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';
import { Button, Dialog, Kbd } from '../kit/parts.js';
import { pageStorage } from '../kit/storage.js';
import { KEY_GROUPS, KEYS } from './keys.js';
import * as state from './state.js';

const KEYS_OFF = 'adbreak.keys-off';
export function startKeys(): void {
  state.areKeysOn.value = pageStorage.get(KEYS_OFF) === null;
}
function switchKeys(): void {
  state.areKeysOn.value = !state.areKeysOn.value;
  if (state.areKeysOn.value) pageStorage.remove(KEYS_OFF);
  else pageStorage.set(KEYS_OFF, 'yes');
}

/** All keys, from the table that the page listens by. */
export function Help() {
  const close = () => {
    state.isHelpOpen.value = false;
  };
  return (
    <Dialog title="Keys" onClose={close}>
      <div class="keys">
        {KEY_GROUPS.map((group) => (
          <section key={group} aria-label={group}>
            <h3>{group}</h3>
            <dl>
              {KEYS.filter((row) => row.group === group).map(({ command, shown, help }) => (
                <div key={command} class="key-row">
                  <dt>
                    <Kbd keys={shown} />
                  </dt>
                  <dd>{help}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="help-more">
        Drag over the timeline to choose a stretch; a click on a spot chooses it with all its airings. A label
        is hatched grey until it is on disk.
      </p>
      <div class="dialog-foot">
        <label class="check">
          <input type="checkbox" checked={state.areKeysOn.value} onChange={switchKeys} />
          Single-letter keys are on
        </label>
        <Button look="primary" onPress={close}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

const NAME = 'adbreak.labeller';
export const keptName = (): string => {
  const parsed = labellerName.safeParse(pageStorage.get(NAME));
  return parsed.success ? parsed.data : '';
};

interface NameProps {
  readonly onName: (name: string) => void;
  readonly onClose?: () => void;
}

/** Who labels: each person has labels of their own. */
export function NameDialog({ onName, onClose }: NameProps) {
  const name = useSignal(state.labeller.value);
  const fault = useSignal('');
  const known = state.session.value?.labellers ?? [];
  const take = (chosen: string) => {
    const parsed = labellerName.safeParse(chosen.trim());
    if (!parsed.success) {
      fault.value =
        'A name is 1 to 40 letters, digits, spaces, dots or dashes, and begins with a letter or digit.';
      return;
    }
    pageStorage.set(NAME, parsed.data);
    onName(parsed.data);
  };
  const onSubmit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    take(name.value);
  };
  return (
    <Dialog title="Who is labelling?" {...(onClose && { onClose })}>
      <p>Your labels are kept under your name, apart from those of others.</p>
      <form class="name-form" onSubmit={onSubmit}>
        <label for="name">Your name</label>
        <input
          id="name"
          class="field"
          autocomplete="nickname"
          maxLength={40}
          value={name.value}
          aria-invalid={fault.value !== ''}
          aria-describedby="name-fault"
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        />
        <button type="submit" class="button primary">
          Start
        </button>
        <p id="name-fault" class="fault" role="alert">
          {fault.value}
        </p>
      </form>
      {known.length > 0 && (
        <fieldset class="known">
          <legend class="unseen">People who have labelled here</legend>
          {known.map((each) => (
            <Button key={each} onPress={() => take(each)}>
              {each}
            </Button>
          ))}
        </fieldset>
      )}
    </Dialog>
  );
}
