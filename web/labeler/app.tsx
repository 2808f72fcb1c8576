import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Button, Tabs } from '../kit/parts.js';
import { enter } from './connection.js';
import type { Desk } from './desk.js';
import { Help, keptName, NameDialog } from './dialogs.js';
import { Header } from './header.js';
import { Banners, Nothing } from './notices.js';
import { AgreementPanel } from './panels/agreement.js';
import { Meaning, QueuePanel } from './panels/queue.js';
import { StretchesPanel } from './panels/stretches.js';
import { Stage } from './stage.js';
import * as state from './state.js';
import { Overview } from './timeline/overview.js';
import { Timeline } from './timeline/timeline.js';

export function App({ desk, video }: { readonly desk: Desk; readonly video: ComponentChildren }) {
  const ask = (isAsked: boolean) => {
    state.asksName.value = isAsked;
  };
  const isReady = state.phase.value === 'ready';
  useEffect(() => {
    if (!isReady) return;
    if (keptName() === '') ask(true);
    else void enter(keptName());
  }, [isReady]);
  useEffect(() => {
    const first = state.recordings.value[0];
    if (state.chosenId.value === null && first) void desk.open(first.id);
  }, [state.recordings.value]);
  return (
    <>
      <Header desk={desk} onName={() => ask(true)} />
      <Banners />
      {state.recordings.value.length === 0 && <Nothing />}
      <main class="desk" hidden={state.recordings.value.length === 0}>
        <Stage desk={desk} video={video} />
        <Side desk={desk} />
        <section class="time card" aria-label="Timeline">
          <Toolbar desk={desk} />
          <Overview desk={desk} />
          <Timeline desk={desk} />
        </section>
      </main>
      {state.isHelpOpen.value && <Help />}
      {state.asksName.value && isReady && (
        <NameDialog
          onName={(name) => {
            ask(false);
            void enter(name);
          }}
          {...(state.labeller.value !== '' && { onClose: () => ask(false) })}
        />
      )}
    </>
  );
}

const TABS = [
  { id: 'queue', title: 'Next' },
  { id: 'labels', title: 'Labels' },
  { id: 'people', title: 'Agreement' },
] as const;

function Side({ desk }: { desk: Desk }) {
  const chosen = useSignal<(typeof TABS)[number]['id']>('queue');
  return (
    <aside class="side card" aria-label="Lists">
      <Tabs
        label="Lists"
        tabs={TABS}
        chosen={chosen.value}
        onChoose={(id) => {
          chosen.value = id;
        }}
      >
        {chosen.value === 'queue' && <QueuePanel desk={desk} />}
        {chosen.value === 'labels' && <StretchesPanel desk={desk} />}
        {chosen.value === 'people' && <AgreementPanel desk={desk} />}
      </Tabs>
    </aside>
  );
}

function Toolbar({ desk }: { desk: Desk }) {
  return (
    <div class="toolbar">
      <Meaning desk={desk} />
      <div class="group">
        <Button look="quiet" name="The border before" keys="j" onPress={() => desk.run('border-back')}>
          ⇤ Border
        </Button>
        <Button look="quiet" name="The border after" keys="k" onPress={() => desk.run('border-forward')}>
          Border ⇥
        </Button>
        <Button look="quiet" name="Zoom out" keys="-" onPress={() => desk.run('zoom-out')}>
          −
        </Button>
        <Button look="quiet" name="Fit the whole recording" keys="0" onPress={() => desk.run('fit')}>
          Fit
        </Button>
        <Button look="quiet" name="Zoom in" keys="+" onPress={() => desk.run('zoom-in')}>
          +
        </Button>
        <Button about="Next doubtful place" keys="n" onPress={() => desk.run('next')} hint="N">
          Next
        </Button>
      </div>
    </div>
  );
}
