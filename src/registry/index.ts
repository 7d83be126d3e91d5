/** registry */
export type * from './types.ts'
