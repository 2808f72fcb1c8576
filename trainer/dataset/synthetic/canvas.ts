/** Pixels as drawn by sharp: RGBA, premultiplication off. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8Array;
}

/** The frame being drawn, RGB24. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.rgb = new Uint8Array(width * height * 3);
  }

  /** Fills the frame from an opaque picture, `zoom` >= 1, its window's left upper corner at (x, y) of 0..1. */
  backdrop(picture: Picture, x: number, y: number, zoom: number): void {
    const viewWidth = picture.width / zoom;
    const viewHeight = picture.height / zoom;
    const left = clamp01(x) * (picture.width - viewWidth);
    const top = clamp01(y) * (picture.height - viewHeight);
    const columns = Int32Array.from(
      { length: this.width },
      (_, i) => Math.min(picture.width - 1, (left + (i * viewWidth) / this.width) | 0) * 4,
    );
    let out = 0;
    for (let row = 0; row < this.height; row++) {
      const line =
        Math.min(picture.height - 1, (top + (row * viewHeight) / this.height) | 0) * picture.width * 4;
      for (let column = 0; column < this.width; column++) {
        const at = line + (columns[column] ?? 0);
        this.rgb[out++] = picture.rgba[at] ?? 0;
        this.rgb[out++] = picture.rgba[at + 1] ?? 0;
        this.rgb[out++] = picture.rgba[at + 2] ?? 0;
      }
    }
  }

  /** Blends a picture with its centre at (x, y) in pixels. */
  sprite(picture: Picture, x: number, y: number, scale = 1, opacity = 1): void {
    const width = Math.round(picture.width * scale);
    const height = Math.round(picture.height * scale);
    const left = Math.round(x - width / 2);
    const top = Math.round(y - height / 2);
    for (let row = Math.max(0, -top); row < Math.min(height, this.height - top); row++) {
      const line = Math.min(picture.height - 1, (row / scale) | 0) * picture.width;
      for (let column = Math.max(0, -left); column < Math.min(width, this.width - left); column++) {
        const from = (line + Math.min(picture.width - 1, (column / scale) | 0)) * 4;
        const alpha = ((picture.rgba[from + 3] ?? 0) / 255) * opacity;
        if (alpha === 0) continue;
        const to = ((top + row) * this.width + left + column) * 3;
        for (let c = 0; c < 3; c++)
          this.rgb[to + c] = (this.rgb[to + c] ?? 0) * (1 - alpha) + (picture.rgba[from + c] ?? 0) * alpha;
      }
    }
  }

  /** Black bars above and below until the picture has the given ratio. */
  letterbox(ratio: number): void {
    const bar = Math.max(0, Math.round((this.height - this.width / ratio) / 2)) * this.width * 3;
    this.rgb.fill(0, 0, bar);
    this.rgb.fill(0, this.rgb.length - bar);
  }

  /** Multiplies with 0..1: a fade to black. */
  fade(level: number): void {
    if (level >= 1) return;
    for (let i = 0; i < this.rgb.length; i++) this.rgb[i] = (this.rgb[i] ?? 0) * level;
  }
}

function clamp01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
