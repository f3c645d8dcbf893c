import { expect, it } from 'vitest';
import { LeadMemory } from '../../../src/manager/lead-memory.ts';

it('C4: knows the last acknowledged tip and all open ones, nothing older', () => {
  const memory = new LeadMemory();
  memory.taken('t', 'tip0');
  for (const tip of ['tip1', 'tip2', 'tip3']) {
    memory.sent(tip);
  }
  memory.acknowledged('tip2');
  expect(memory.tips).toEqual(['tip2', 'tip3']);
  memory.acknowledged('tip3');
  expect(memory.tips).toEqual(['tip3']);
});

it('C4: a new lead forgets the tips that were before, not the tokens', () => {
  const memory = new LeadMemory();
  expect([memory.tokens, memory.tips]).toEqual([[], []]);
  memory.taken('a', 'tip0');
  memory.sent('tip1');
  memory.taken('b', 'tip9');
  expect([memory.tokens, memory.tips]).toEqual([['b', 'a'], ['tip9']]);
});

it('stays bounded however many scripts are lost', () => {
  const memory = new LeadMemory();
  for (let i = 0; i < 1000; i += 1) {
    memory.sent(`sent${i}`);
  }
  expect(memory.tips.length).toBeLessThanOrEqual(256);
  expect(memory.tips.at(-1)).toBe('sent999');
  for (let i = 0; i < 1000; i += 1) {
    memory.taken(`t${i}`, 'tip');
  }
  expect(memory.tokens.length).toBeLessThanOrEqual(16);
  expect(memory.tokens[0]).toBe('t999');
});

it('an unknown tip that is acknowledged changes nothing', () => {
  const memory = new LeadMemory();
  memory.taken('t', 'tip0');
  memory.sent('tip1');
  memory.acknowledged('other');
  expect(memory.tips).toEqual(['tip0', 'tip1']);
});
