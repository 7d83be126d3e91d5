/** store/content */
export type * from './types.ts'
