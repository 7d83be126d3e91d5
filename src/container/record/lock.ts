import { conflict, createKeyedLock, type KeyedLock } from '#base'

/** So long a change waits for a copy that is under way; its client may stand still for ever. Milliseconds. */
const PATIENCE = 1500

/**
 * One change of a container at a time. A copy from or to one that does not run holds its lock too (`isCopied`): others
 * wait for it only a while, then they are refused with `conflict`.
 */
export function createContainerLock(isCopied: (id: string) => boolean): KeyedLock {
  const locks = createKeyedLock()
  return {
    async run(id, task) {
      let [begun, left] = [false, false]
      const late = Promise.withResolvers<never>()
      const timer = setInterval(() => {
        if (begun || !isCopied(id)) return
        left = true
        late.reject(conflict(`container ${id} is being copied from or to`))
      }, PATIENCE)
      const done = locks.run(id, async () => {
        begun = true
        clearInterval(timer)
        if (left) return await late.promise
        return await task()
      })
      return await Promise.race([done, late.promise])
    },
  }
}
