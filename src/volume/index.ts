/** volume */
export type * from './types.ts'
