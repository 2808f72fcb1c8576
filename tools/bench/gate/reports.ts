import { after, assign, report, started } from '@adbreak/hub/rollouts/fixtures.js';
import type { Plan } from '@adbreak/hub/rollouts/plan.js';
import type { Rollout } from '@adbreak/hub/rollouts/rollout.js';
import { start, step } from '@adbreak/hub/rollouts/step.js';
import { absorb } from '@adbreak/hub/rollouts/windows.js';
import { feed, nameOf, sliceOf } from '@adbreak/hub/simulate/feed.js';
import { type LivingRooms, RoomStream, type RoomWindow } from '@adbreak/hub/simulate/living-rooms.js';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { binomial } from '@adbreak/shared/draws.js';
import { seeded } from '@adbreak/shared/random.js';
import { type PeerVerdict, zGate } from './peers.js';
import type { Enter } from './scenarios.js';

/** The runs of `make bench-gates` that need whole reports: what evidence alone cannot show. */

/** A simulated window as its device would report it. */
function reportOf(room: RoomWindow, hour: number, change: Partial<WindowReport> = {}): WindowReport {
  const { wins, losses, open, rate, differ, episodes } = room;
  const made = report(
    hour + 1,
    hour,
    { wins, losses, undecided: differ - wins - losses, agreed: episodes - differ },
    { slice: sliceOf(room) },
  );
  return { ...made, draws: { rate, drawn: wins + losses + open, wins, losses }, ...change };
}

/**
 * A candidate like any other, begun at night, when a third of the evening's disagreements come: the evening must not be
 * taken for a change. Whole reports through the whole state machine; true where the disagreements' alarm was ever raised.
 */
export function nightRun(
  plan: Plan,
  rooms: LivingRooms,
  hours: number,
  seed: string,
): { readonly alarm: boolean } {
  const stream = new RoomStream(rooms, seeded(seed));
  const names = Array.from({ length: rooms.devices }, (_, i) => nameOf(i));
  let state = assign(start(started({ ...plan, lagHours: 0 })), names);
  for (let hour = 0; hour < hours; hour++) {
    const at = after(hour + 1).toISOString();
    for (const room of stream.next(hour))
      ({ state } = step(state, {
        kind: 'window',
        at,
        device: nameOf(room.device),
        report: reportOf(room, hour),
      }));
    if ((hour + 1) % 6 !== 0) continue;
    ({ state } = step(state, { kind: 'tick', at, siblings: [] }));
    if (state.drift.disagreementAlarm) return { alarm: true };
  }
  return { alarm: false };
}

const CANARY_HOURS = 120;
/**
 * A canary whose devices fall silent while the others go on reporting a better candidate from their shadow: whole reports
 * through the whole state machine, which has to find out by itself that nothing comes from where the candidate acts.
 */
export function silentRun(
  plan: Plan,
  seed: string,
): { readonly promoted: boolean; readonly reached: number; readonly z: PeerVerdict } {
  const random = seeded(seed);
  const members = Array.from({ length: 20 }, (_, i) => `pi-${i}`);
  const canary = members.slice(0, 2);
  let reached = 0;
  let state = start(started(plan));
  for (let hour = 0; hour < CANARY_HOURS && state.status === 'running'; hour++) {
    const acting = state.stage === 0 ? [] : canary;
    state = assign(state, members, acting, hour);
    const at = after(hour + 1).toISOString();
    for (const device of members.filter((one) => !acting.includes(one))) {
      const wins = binomial(random, 8, 0.13);
      const losses = binomial(random, 8 - wins, 0.04);
      const slice = { channel: device, site: 'home', hardware: 'pi5' };
      ({ state } = step(state, {
        kind: 'window',
        at,
        device,
        report: report(hour + 1, hour, { wins, losses, agreed: 24 - wins - losses }, { slice }),
      }));
    }
    ({ state } = step(state, { kind: 'tick', at, siblings: [] }));
    reached = Math.max(reached, state.stage);
  }
  // Of the canary's own frames there are none: when its time is over this gate takes that for no alarm.
  const z = reached > 0 ? zGate({ wins: 0, losses: 0, episodes: 0 }, plan.margin, 0) : 'wait';
  return { promoted: reached > 1 || state.status === 'watching' || state.status === 'completed', reached, z };
}

const ANYBODY = { belongs: true, mayAct: true, lost: 0 } as const;

/** The last device names another channel each window, to be a cluster of its own each time. */
export function wandering(): Enter {
  return (state, window, hour, seen) => {
    const liar = seen.at(-1);
    feed(state, window, seen.slice(0, -1));
    if (liar === undefined) return;
    const slice = { ...sliceOf(liar), channel: `w${hour}` };
    absorb(
      state.evidence,
      nameOf(liar.device),
      reportOf(liar, hour, { slice }),
      state.plan,
      ANYBODY,
      after(hour + 1).getTime(),
    );
  };
}

/** Wins are answered at once, losses after so many hours: the gate sees the good news first. */
export function lateLosses(hours: number): Enter {
  const due = new Map<string, { readonly start: string; readonly wins: number; readonly losses: number }>();
  return (state: Rollout, _window, hour, seen) => {
    for (const room of seen) {
      const id = nameOf(room.device);
      const answer = due.get(`${id}/${hour - hours}`);
      due.delete(`${id}/${hour - hours}`);
      if (room.losses > 0)
        due.set(`${id}/${hour}`, { start: after(hour).toISOString(), wins: 0, losses: room.losses });
      const waits = { ...room, losses: 0, open: room.open + room.losses };
      absorb(
        state.evidence,
        id,
        reportOf(waits, hour, answer === undefined ? {} : { answers: [answer] }),
        state.plan,
        ANYBODY,
        after(hour + 1).getTime(),
      );
    }
  };
}
