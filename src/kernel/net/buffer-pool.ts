/** Buffers of one size that are read into in turn: what is allocated for each read keeps the garbage collector busy. */
export interface BufferPool {
  /** The next to read into. */
  borrow(): Borrowed
}

export interface Borrowed {
  readonly buffer: Buffer
  /** To be called when nobody reads from it any more. Absent where too many are lent: then what is in it has to be copied. */
  readonly giveBack: (() => void) | undefined
}

/** Lends at most `count` buffers of `size` bytes, each made when it is first needed. One that is not given back is forgotten. */
export function createBufferPool(size: number, count: number): BufferPool {
  const idle: Buffer[] = []
  let made = 0
  let spare: Buffer | undefined
  return {
    borrow() {
      if (idle.length === 0 && made === count)
        return { buffer: (spare ??= Buffer.allocUnsafeSlow(size)), giveBack: undefined }
      if (idle.length === 0) made += 1
      const buffer = idle.pop() ?? Buffer.allocUnsafeSlow(size)
      return { buffer, giveBack: () => void idle.push(buffer) }
    },
  }
}
