/** store/gc */
export type * from './types.ts'
