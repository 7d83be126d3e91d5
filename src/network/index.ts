/** network */
export type * from './types.ts'
