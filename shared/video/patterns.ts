/**
 * A test pattern every machine draws alike: colour gradients and bars by integer arithmetic. Probes run them through a
 * new model and compare with the manifest's golden values, so that no picture has to travel.
 */
export function testPattern(index: number, width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const bar = ((x * (index + 3)) / width) | 0;
      pixels[at] = (x * (index + 1) + bar * 40) & 255;
      pixels[at + 1] = (y * (index + 2) + bar * 70) & 255;
      pixels[at + 2] = (((x * y) >> 4) + index * 31) & 255;
    }
  }
  return pixels;
}
/** Builtin kernels, XNNPACK and other processors differ by a step or two of 1/256. */
export const GOLDEN_TOLERANCE = 6 / 256;
