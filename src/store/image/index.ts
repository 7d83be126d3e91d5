/** store/image */
export type * from './types.ts'
