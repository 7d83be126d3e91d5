import type { Mount } from '#kernel'

/**
 * Said aloud, because kernels have other defaults: with any of these on, an upper folder would not stand alone as a
 * layer (kernel documentation, overlayfs.rst, «Renaming directories», «Metadata only copy up», «Index»).
 */
const PLAIN_OPTIONS = ['redirect_dir=off', 'metacopy=off', 'index=off'] as const

/** The folders that a writable tree adds to those below. */
export interface WritableFolders {
  readonly upper: string
  readonly work: string
  readonly volatile: boolean
}

/** What shows these lowers (topmost first) with a writable folder over them; without lowers the folder itself. */
export function writableMounts(
  lowers: readonly string[],
  { upper, work, volatile }: WritableFolders,
): readonly Mount[] {
  if (lowers.length === 0) return [{ type: 'bind', source: upper, options: ['bind', 'rw'] }]
  const options = [
    ...lowers.map((lower) => `lowerdir+=${lower}`),
    `upperdir=${upper}`,
    `workdir=${work}`,
    ...PLAIN_OPTIONS,
    ...(volatile ? ['volatile'] : []),
  ]
  return [{ type: 'overlay', source: 'overlay', options }]
}

/** What shows these lowers, topmost first, read-only. */
export function viewMounts(lowers: readonly string[]): readonly Mount[] {
  const [only, ...others] = lowers
  if (only !== undefined && others.length === 0) return [{ type: 'bind', source: only, options: ['bind', 'ro'] }]
  return [
    {
      type: 'overlay',
      source: 'overlay',
      options: ['ro', ...lowers.map((lower) => `lowerdir+=${lower}`), ...PLAIN_OPTIONS],
    },
  ]
}
