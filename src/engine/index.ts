/** engine */
export type * from './types.ts'
