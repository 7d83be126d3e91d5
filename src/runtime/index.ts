/** runtime */
export type * from './types.ts'
