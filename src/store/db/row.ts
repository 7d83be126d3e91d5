import assert from 'node:assert/strict'
import type { Row } from './types.ts'

/** A TEXT column that is never null. */
export function readText(row: Row, column: string): string {
  const value = row[column]
  assert(typeof value === 'string', `column ${column} holds no text`)
  return value
}

/** A TEXT column, undefined for null. */
export function readOptionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : readText(row, column)
}

/** An INTEGER or REAL column whose values are exact as numbers (sizes, counts, ids). */
export function readNumber(row: Row, column: string): number {
  const value = row[column]
  assert(typeof value === 'number', `column ${column} holds no exact number`)
  return value
}

/** An INTEGER column of 64 bits (nanoseconds). */
export function readBigInt(row: Row, column: string): bigint {
  const value = row[column]
  assert(typeof value === 'number' || typeof value === 'bigint', `column ${column} holds no integer`)
  return BigInt(value)
}

/** A BLOB column that is never null. */
export function readBytes(row: Row, column: string): Uint8Array {
  const value = row[column]
  assert(value instanceof Uint8Array, `column ${column} holds no bytes`)
  return value
}
