/** builder */
export type * from './types.ts'
