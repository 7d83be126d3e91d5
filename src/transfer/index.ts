/** transfer */
export type * from './types.ts'
