/** The lanes of the timeline from top to bottom, pixels. */
const HEIGHTS = [
  ['ruler', '', 22],
  ['film', 'Pictures', 42],
  ['ad', 'Ad', 22],
  ['content', 'Content', 22],
  ['spots', 'Spots', 48],
  ['model', 'Model', 36],
  ['wave', 'Sound', 32],
  ['marks', 'Cuts', 18],
] as const;
export type LaneId = (typeof HEIGHTS)[number][0];
export interface Lane {
  readonly id: LaneId;
  readonly title: string;
  readonly y: number;
  readonly height: number;
}
const GAP = 3;

export const LANES: readonly Lane[] = HEIGHTS.map(([id, title, height], i) => ({
  id,
  title,
  y: HEIGHTS.slice(0, i).reduce((y, [, , above]) => y + above + GAP, 0),
  height,
}));
export const HEIGHT = LANES.reduce((end, { y, height }) => Math.max(end, y + height), 0);

export function lane(id: LaneId): Lane {
  const found = LANES.find((each) => each.id === id);
  if (found === undefined) throw new Error(`There is no lane ${id}`);
  return found;
}
export const laneAt = (y: number): LaneId | null =>
  LANES.find((each) => y >= each.y && y < each.y + each.height)?.id ?? null;
