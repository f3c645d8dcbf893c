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

it('C4: a try of unknown fate adds its token and tip; a refused one leaves nothing', () => {
  const memory = new LeadMemory();
  memory.taken('a', 'tip0');
  memory.trying('b', 'tip1');
  expect(memory.tokens).toEqual(['a', 'b']);
  expect(memory.tips).toEqual(['tip0', 'tip1']);
  memory.trying('c', 'tip2');
  memory.refused('c', 'tip2');
  expect(memory.tokens).toEqual(['a', 'b']);
  expect(memory.tips).toEqual(['tip0', 'tip1']);
  memory.taken('d', 'tip9');
  expect([memory.tokens, memory.tips]).toEqual([['d'], ['tip9']]);
});

it('stays bounded however often a lead is tried or a script is lost', () => {
  const memory = new LeadMemory();
  for (let i = 0; i < 1000; i += 1) {
    memory.trying(`t${i}`, `tip${i}`);
    memory.sent(`sent${i}`);
  }
  expect(memory.tokens.length).toBeLessThanOrEqual(256);
  expect(memory.tips.length).toBeLessThanOrEqual(256);
  expect(memory.tips.at(-1)).toBe('sent999');
});

it('an unknown tip that is acknowledged changes nothing', () => {
  const memory = new LeadMemory();
  memory.taken('t', 'tip0');
  memory.sent('tip1');
  memory.acknowledged('other');
  expect(memory.tips).toEqual(['tip0', 'tip1']);
});
