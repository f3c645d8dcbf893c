import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { PatchwireError } from '../../../src/model/failure.ts';
import { type LazyCache, type Replica, subscribe } from '../../../src/subscriber/index.ts';
import { type Parser, Parsing, type StandardSchema } from '../../../src/subscriber/parsing.ts';

const Order = z.object({ OrderId: z.coerce.bigint(), Total: z.string().transform(Number) });

function outputOf<T>(parser: Parser<T>): (document: object) => { readonly value: unknown; readonly refused: readonly PatchwireError[] } {
  const parsing = new Parsing(parser, 'skip');
  return (document) => {
    const refused: PatchwireError[] = [];
    const parsed = parsing.of('42', document as never, (error) => refused.push(error));
    return { value: parsed.ok ? parsed.value : undefined, refused };
  };
}

describe('a parser', () => {
  it('may be a zod schema: documents are what it makes of them', () => {
    expect(outputOf(Order)({ OrderId: '9007199254740993', Total: '10.50' }).value).toEqual({ OrderId: 9007199254740993n, Total: 10.5 });
    expectTypeOf(Order).toExtend<Parser<{ OrderId: bigint; Total: number }>>();
  });

  it('may be any Standard Schema, or a function', () => {
    const schema: StandardSchema<{ n: number }> = {
      '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: { n: Number((value as { n: string }).n) } }) },
    };
    expect(outputOf(schema)({ n: '7' }).value).toEqual({ n: 7 });
    expect(outputOf((document) => Object.keys(document))({ a: 1, b: 2 }).value).toEqual(['a', 'b']);
  });

  it('that is a schema and a function as well, as those of arktype are, is taken for a schema', () => {
    interface Refused {
      readonly refused: string;
    }
    const schema = Object.assign((_value: unknown): { n: number } | Refused => ({ refused: 'never asked' }), {
      '~standard': { version: 1, vendor: 'test', validate: (_value: unknown) => ({ value: { n: 7 } }) },
    } as StandardSchema<{ n: number }>);
    expect(outputOf<{ n: number }>(schema)({}).value).toEqual({ n: 7 });
    const place = { redis: 'redis://127.0.0.1', partition: 'p', section: 's', parse: schema };
    expectTypeOf(() => subscribe(place)).returns.toEqualTypeOf<Replica<{ n: number }>>();
    expectTypeOf(() => subscribe({ ...place, mode: 'lazy' })).returns.toEqualTypeOf<LazyCache<{ n: number }>>();
    expectTypeOf(() => subscribe({ ...place, parse: Order })).returns.toEqualTypeOf<Replica<z.output<typeof Order>>>();
    expectTypeOf(() => subscribe({ ...place, parse: () => new Date() })).returns.toEqualTypeOf<Replica<Date>>();
  });

  it('refuses with PW-W407, naming the key and the place, never the value', () => {
    const { value, refused } = outputOf(Order)({ OrderId: '1', Total: 5 });
    expect(value).toBeUndefined();
    expect(refused).toMatchObject([{ code: 'PW-W407', details: { dataKey: '42' }, message: expect.stringContaining('Total: ') }]);
  });

  it('that is asynchronous is refused by name: a replica answers at once', () => {
    const { refused } = outputOf(z.object({}).refine(async () => true))({});
    expect(refused[0]?.message).toContain('synchronous');
  });

  it('that is an asynchronous function is refused too, and what it rejects with later ends nothing', async () => {
    const late: unknown[] = [];
    const hear = (error: unknown): number => late.push(error);
    process.on('unhandledRejection', hear);
    const answers = [outputOf(async (document: object) => document)({}), outputOf(() => Promise.reject(new Error('later')))({})];
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    expect(answers.map(({ value, refused }) => [value, refused[0]?.message.includes('synchronous')])).toEqual([
      [undefined, true],
      [undefined, true],
    ]);
    expect(late).toEqual([]);
  });

  it('is asked once for a document', () => {
    let asked = 0;
    const parsing = new Parsing((document) => {
      asked += 1;
      return document;
    }, 'stop');
    const document = { a: 1 };
    expect(parsing.of('1', document, () => {})).toBe(parsing.of('1', document, () => {}));
    expect(asked).toBe(1);
  });

  it('lets a refused document through as it was published, where that is chosen', () => {
    const parsing = new Parsing(Order, 'keep');
    const document = { Total: 5 };
    const refused: unknown[] = [];
    const parsed = parsing.of('1', document, (error) => refused.push(error));
    expect(parsed).toEqual({ ok: true, value: document });
    expect(refused).toHaveLength(1);
  });
});
