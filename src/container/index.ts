/** container */
export type * from './types.ts'
