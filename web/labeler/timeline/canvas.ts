import { tokenColours } from '../../kit/theme.js';
import { COLOUR_NAMES, type Colours } from './paint.js';

/** A canvas in the pixels of the screen, drawn in those of the page. */
export function contextOf(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = canvas.getContext('2d');
  ctx?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

export const readColours = (): Colours => tokenColours(COLOUR_NAMES);

/** Runs at most once a frame of the screen, however often it is asked for. */
export function eachFrame(draw: () => void): () => void {
  let asked = 0;
  return () => {
    if (asked !== 0) return;
    asked = requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
}
