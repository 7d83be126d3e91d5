import type { SourceRange } from './source.ts'
import type { Dockerfile, LintWarning } from './types.ts'

export function lint(_file: Dockerfile, _empty: readonly SourceRange[]): readonly LintWarning[] {
  return []
}
