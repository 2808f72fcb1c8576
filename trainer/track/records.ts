/** Castagnoli's polynomial (RFC 3720, section 12.1), bits reversed. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
  return rest;
});

/** CRC-32C of the bytes: node:zlib has the other CRC-32 alone. */
export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = (rest >>> 8) ^ (TABLE[(rest ^ byte) & 0xff] ?? 0);
  return (rest ^ 0xffffffff) >>> 0;
}

/**
 * A checksum that lies beside data with checksums of its own is rotated and shifted, so that the two never
 * cancel out.
 */
function masked(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}

const HEAD = 12;

/**
 * One record of a TFRecord file: its length (u64), a checksum of that, the data, a checksum of the data;
 * little-endian.
 */
export function recordOf(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEAD + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(data, HEAD);
  view.setUint32(HEAD + data.length, masked(data), true);
  return record;
}
