/** store/db */
export type * from './types.ts'
