/** store/layer */
export type * from './types.ts'
