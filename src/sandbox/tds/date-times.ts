/**
 * Dates and times between their form in memory (days since 0001-01-01 and 100 ns ticks) and on the wire, exact in both directions.
 * Source: MS-TDS 2.2.5.5.1.8 and 2.2.5.5.1.9.
 */
import type { DateTimeValue, OffsetValue } from '../sql-types.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { ProtocolError } from './protocol.ts';

/** Days from 0001-01-01 to 1900-01-01, where datetime and smalldatetime begin. */
const DAYS_TO_1900 = 693_595;
/** 9999-12-31. */
const LAST_DAY = 3_652_058;
const TICKS_OF_DAY = 864_000_000_000;
const TICKS_OF_MINUTE = 600_000_000;
/** datetime counts in 1/300 s. */
const THREE_HUNDREDTHS_OF_DAY = 25_920_000;

/** Bytes of a time of day at a scale of 0 to 7. */
export function timeBytes(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

function writeTimeOfDay(writer: ByteWriter, ticks: bigint, scale: number): void {
  writer.uint(Math.floor(Number(ticks) / 10 ** (7 - scale)), timeBytes(scale));
}

/** Writes a time(scale) without a length. */
export function writeTime(writer: ByteWriter, value: DateTimeValue, scale: number): void {
  writeTimeOfDay(writer, value.ticks, scale);
}

export function writeDate(writer: ByteWriter, value: DateTimeValue): void {
  writer.uint(value.days, 3);
}

export function writeDateTime2(writer: ByteWriter, value: DateTimeValue, scale: number): void {
  writeTimeOfDay(writer, value.ticks, scale);
  writer.uint(value.days, 3);
}

export function writeDateTimeOffset(writer: ByteWriter, value: OffsetValue, scale: number): void {
  writeDateTime2(writer, value, scale);
  writer.i16(value.offset);
}

/** A datetime between two steps of 1/300 s goes to the nearer one. */
export function writeDateTime(writer: ByteWriter, value: DateTimeValue): void {
  const steps = Math.round((Number(value.ticks) * 3) / 100_000);
  const overflow = steps >= THREE_HUNDREDTHS_OF_DAY;
  writer.i32(value.days - DAYS_TO_1900 + (overflow ? 1 : 0));
  writer.u32(overflow ? 0 : steps);
}

export function writeSmallDateTime(writer: ByteWriter, value: DateTimeValue): void {
  writer.u16(value.days - DAYS_TO_1900);
  writer.u16(Math.floor(Number(value.ticks) / TICKS_OF_MINUTE));
}

function readTimeOfDay(reader: ByteReader, scale: number, bytes: number): bigint {
  if (bytes !== timeBytes(scale)) {
    throw new ProtocolError(`a time at scale ${scale} in ${bytes} bytes`);
  }
  const ticks = reader.uint(bytes) * 10 ** (7 - scale);
  if (ticks >= TICKS_OF_DAY) {
    throw new ProtocolError('a time of day beyond the day');
  }
  return BigInt(ticks);
}

function checkedDays(days: number): number {
  if (days < 0 || days > LAST_DAY) {
    throw new ProtocolError(`day ${days} is no date`);
  }
  return days;
}

export function readDate(reader: ByteReader): DateTimeValue {
  return { days: checkedDays(reader.uint(3)), ticks: 0n };
}

/** Reads a time(scale) of so many bytes. */
export function readTime(reader: ByteReader, scale: number, bytes: number): DateTimeValue {
  return { days: 0, ticks: readTimeOfDay(reader, scale, bytes) };
}

export function readDateTime2(reader: ByteReader, scale: number, bytes: number): DateTimeValue {
  const ticks = readTimeOfDay(reader, scale, bytes - 3);
  return { days: checkedDays(reader.uint(3)), ticks };
}

export function readDateTimeOffset(reader: ByteReader, scale: number, bytes: number): OffsetValue {
  const { days, ticks } = readDateTime2(reader, scale, bytes - 2);
  return { days, ticks, offset: reader.i16() };
}

export function readDateTime(reader: ByteReader): DateTimeValue {
  const days = checkedDays(reader.i32() + DAYS_TO_1900);
  const steps = reader.u32();
  if (steps >= THREE_HUNDREDTHS_OF_DAY) {
    throw new ProtocolError('a time of day beyond the day');
  }
  return { days, ticks: BigInt(Math.round((steps * 100_000) / 3)) };
}

export function readSmallDateTime(reader: ByteReader): DateTimeValue {
  const days = checkedDays(reader.u16() + DAYS_TO_1900);
  const minutes = reader.u16();
  if (minutes >= 1440) {
    throw new ProtocolError('a time of day beyond the day');
  }
  return { days, ticks: BigInt(minutes * TICKS_OF_MINUTE) };
}
