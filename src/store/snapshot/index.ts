/** store/snapshot */
export type * from './types.ts'
