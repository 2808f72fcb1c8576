/** Small charts, as pictures that say in words what they show. */

/** How much of something is done: 0 to 1. */
export function Meter({ share, label }: { readonly share: number; readonly label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <svg
      class="meter"
      role="img"
      aria-label={`${label}: ${percent} %`}
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
    >
      <rect width={percent} height="8" />
    </svg>
  );
}
