/** A picture of a report as JPEG, or why there is none. */
export type Thumbnail = { readonly jpeg: Uint8Array } | { readonly problem: string };
