import { ownValue } from '@adbreak/shared/own-value.js';
import { addTallies, noDevice, type Tally } from '../rollouts/evidence.js';
import type { Rollout } from '../rollouts/rollout.js';
import { clusterOfSlice } from '../rollouts/slices.js';
import { enter, noteLost, payLost, slicesOf } from '../rollouts/windows.js';
import type { RoomWindow } from './living-rooms.js';

/** Puts simulated windows where reports would have put them: the gate's own evidence, without the cost of a report for each. */
export function feed(
  state: Rollout,
  window: number,
  rooms: readonly RoomWindow[],
  acts: (device: number) => boolean = () => false,
  restarts: (device: number, acting: boolean) => number = () => 0,
): void {
  const last = state.evidence.open[window - 1] ?? {};
  for (const room of rooms) {
    const id = nameOf(room.device);
    const known = ownValue(state.evidence.devices, id);
    const slice = known?.slice ?? sliceOf(room);
    const device = known ?? noDevice(slice, clusterOfSlice(slice));
    state.evidence.devices[id] = device;
    device.windows += 1;
    device.lastWindow = window;
    const arm = acts(room.device) ? device.health.acting : device.health.own;
    arm.hours += state.plan.windowSeconds / 3600;
    arm.restarts += restarts(room.device, acts(room.device));
    device.episodes += room.episodes;
    device.differ += room.differ;
    device.reports += 1;
    noteLost(device, room.lost);
    const tallies: Tally[] = [
      { rate: room.rate, zeros: room.zeros, wins: room.wins, losses: room.losses, open: room.open },
    ];
    addTallies(tallies, payLost(device));
    enter(state.evidence, window, id, {
      cluster: device.cluster,
      // A device's slices are the same each hour.
      slices: ownValue(last, id)?.slices ?? slicesOf(slice, state.plan),
      tallies,
      draws: [],
      episodes: room.episodes,
      acts: acts(room.device),
    });
  }
}

export const nameOf = (device: number) => `pi-${device}`;
export function sliceOf({ channel, device }: Pick<RoomWindow, 'channel' | 'device'>) {
  return { channel: `c${channel}`, site: `s${device % 3}`, hardware: device % 4 === 0 ? 'pi4' : 'pi5' };
}
