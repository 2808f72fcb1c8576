import { percent } from '../words.js';

/** Averages are fractions; people read whole numbers where they are. */
export function amount(n: number): string {
  return Number.isInteger(n) || n >= 100 ? Math.round(n).toLocaleString('en-US') : n.toFixed(1);
}
export function outcomes({
  wins,
  losses,
  open,
}: {
  readonly wins: number;
  readonly losses: number;
  readonly open: number;
}): string {
  return `${amount(wins)} won, ${amount(losses)} lost, ${amount(open)} drawn without an answer`;
}

export function signed(share: number): string {
  return `${share >= 0 ? '+' : '−'}${percent(Math.abs(share))}`;
}

export function some(names: readonly string[]): string {
  return names.length > 8
    ? `${names.slice(0, 8).join(', ')}, and ${names.length - 8} more`
    : names.join(', ');
}
