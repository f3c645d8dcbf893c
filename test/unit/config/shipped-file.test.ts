import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { redactConfig } from '../../../src/config/print.ts';

const path = fileURLToPath(new URL('../../../cdc.config.yaml', import.meta.url));
const text = readFileSync(path, 'utf8');
const env = { PATCHWIRE_MSSQL: 'Server=x', PATCHWIRE_REDIS: 'redis://x' };

describe('cdc.config.yaml', () => {
  it('is a configuration that loads', () => {
    expect(loadConfig({ path, env }).tables.map(({ section }) => section)).toEqual([
      'customers',
      'products',
      'orders',
      'orderLines',
      'coupons',
    ]);
  });

  it('documents every key, and every default with the value that it has', () => {
    const { tables, ...rest } = redactConfig(loadConfig({ path, env }));
    const last = (tables as readonly unknown[]).at(-1);
    const lines: string[] = [];
    const walk = (value: unknown, key: string): void => {
      if (Array.isArray(value)) {
        lines.push(`${key}: [${value.join(', ')}]`);
      } else if (typeof value === 'object' && value !== null) {
        Object.entries(value).forEach(([name, inner]) => walk(inner, name));
      } else if (value !== '***') {
        lines.push(`${key}: ${String(value)}`);
      }
    };
    walk(rest, '');
    walk(last, '');
    const undocumented = lines.filter((line) => !text.includes(line) && line !== 'json: []');
    expect(undocumented).toEqual([]);
    expect(lines.length).toBeGreaterThan(25);
  });
});
