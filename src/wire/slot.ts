/** On which slot of a Redis Cluster a key lies. Source: redis.io, "Redis cluster specification", key distribution model. */

export const SLOTS = 16_384;

/** CRC-16/XMODEM of what is in the first braces of the key, if there is anything; else of the whole key. */
export function keySlot(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of new TextEncoder().encode(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
    }
  }
  return crc % SLOTS;
}
