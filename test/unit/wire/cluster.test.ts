/** Where keys lie in a cluster, and who serves what; addresses as people write them. */
import { describe, expect, it } from 'vitest';
import { formatHostPort, parseHostPort } from '../../../src/lib/host-port.ts';
import { readClusterSlots } from '../../../src/wire/cluster-slots.ts';
import { sectionKeys } from '../../../src/wire/keys.ts';
import { readAddresses } from '../../../src/wire/redis-target.ts';
import { keySlot } from '../../../src/wire/slot.ts';

describe('slots', () => {
  it('are the CRC-16 of the specification, of what is in the first braces', () => {
    expect(keySlot('123456789')).toBe(0x31c3 % 16_384);
    expect(keySlot('{user1000}.following')).toBe(keySlot('{user1000}.followers'));
    expect(keySlot('foo{}{bar}')).not.toBe(keySlot('bar'));
    expect(keySlot('foo{{bar}}zap')).toBe(keySlot('{bar'));
    expect(keySlot('foo{bar}{zap}')).toBe(keySlot('bar'));
    expect(keySlot('foo{bar')).not.toBe(keySlot('bar'));
  });

  it('are the same for every key of a section, its channels included', () => {
    const { document, ...keys } = sectionKeys('shop', 'orders');
    const all = [`${document}{x}|é`, ...Object.values(keys)].map(keySlot);
    expect(new Set(all).size).toBe(1);
  });
});

describe('CLUSTER SLOTS', () => {
  const asked = { host: '10.0.0.9', port: 7000 };

  it('tells the primary of each slot, the nodes once, and what a node does not say of itself', () => {
    const slots = readClusterSlots(
      [
        [0, 99, ['10.0.0.1', 7001, 'a', []], ['10.0.0.2', 7002, 'b', []]],
        [100, 199, [null, 7000, 'c', []]],
        [200, 16_383, ['10.0.0.1', 7001, 'a', []]],
      ],
      asked,
    );
    expect(slots?.ownerOf(99)).toEqual({ host: '10.0.0.1', port: 7001 });
    expect(slots?.ownerOf(100)).toEqual({ host: '10.0.0.9', port: 7000 });
    expect(slots?.primaries).toEqual([{ host: '10.0.0.1', port: 7001 }, asked]);
    expect(slots?.replicas).toEqual([{ host: '10.0.0.2', port: 7002 }]);
  });

  it('knows nobody for a slot that is not served, or by an address that is not told', () => {
    const slots = readClusterSlots(
      [
        [0, 9, ['10.0.0.1', 7001]],
        [20, 29, ['?', 7002]],
      ],
      asked,
    );
    expect([slots?.ownerOf(10), slots?.ownerOf(20)]).toEqual([null, null]);
  });

  it.each([[[]], [null], ['OK'], [[[0, 1, ['', 1]]]]])('is of no use as %j', (reply) => {
    expect(readClusterSlots(reply, asked)).toBeNull();
  });
});

describe('addresses', () => {
  it.each([
    ['redis-1:6380', { host: 'redis-1', port: 6380 }],
    ['redis-1', { host: 'redis-1', port: 1 }],
    ['[::1]:6380', { host: '::1', port: 6380 }],
    ['::1', null],
    ['redis://h:1', null],
    ['h:0', null],
    ['h:65536', null],
    ['h:', null],
    ['', null],
    ['a b', null],
    ['user@h', null],
  ])('%j is %j', (text, address) => {
    expect(parseHostPort(text, 1)).toEqual(address);
    expect(address === null ? null : parseHostPort(formatHostPort(address), 2)).toEqual(address);
  });

  it('are texts or parts, at least one, and none that is none', () => {
    expect(readAddresses(['a', { port: 2 }, { host: 'c' }], 1)).toEqual([
      { host: 'a', port: 1 },
      { host: '127.0.0.1', port: 2 },
      { host: 'c', port: 1 },
    ]);
    expect(() => readAddresses([], 1)).toThrow(RangeError);
    expect(() => readAddresses(['redis://h'], 1)).toThrow('redis://h');
  });
});
