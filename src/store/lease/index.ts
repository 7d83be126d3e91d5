/** store/lease */
export type * from './types.ts'
