import { invalid } from '#base'
import { command, flag, type Output, showProgress, size } from '#cli/kit'
import type { CheckAux, CheckSummaryJson, DamageJson, ProgressLine, RepairJson } from '#wire'

/** Something was found and not put right; all that was found has been put right. */
const LEFT = 1
const REPAIRED = 2

export const check = command({
  usage: '[OPTIONS]',
  summary: 'Compare everything in the store with what it should be, and repair it',
  flags: {
    format: flag.text('Output format ("json": one value a line)'),
    quiet: flag.switch('Only what is damaged, and the exit status', { short: 'q' }),
    repair: flag.switch('Heal what is damaged, or drop it where it cannot be had again'),
  },
  max: 0,
  async run({ client, io }, { flags }) {
    if (flags.format !== undefined && flags.format !== 'json') throw invalid(`unknown format ${flags.format}: try json`)
    const printer = flags.format === 'json' ? jsonPrinter(io.stdout) : textPrinter(io.stdout, flags)
    let summary: CheckSummaryJson | undefined
    const lines = client.lines<ProgressLine>('POST', '/x/check', { query: { repair: flags.repair } })
    await showProgress(lines, io.stderr.terminal && !flags.quiet ? io.stderr : nowhere(io.stderr), (aux) => {
      const found: CheckAux = Object(aux)
      if (found.Damage) printer.damage(found.Damage)
      if (found.Repair) printer.repair(found.Repair)
      if (found.Summary) printer.summary((summary = found.Summary))
    })
    if (!summary || summary.Left > 0) return LEFT
    return summary.Damages > 0 ? REPAIRED : 0
  },
})

const nowhere = (output: Output): Output => ({ ...output, terminal: false, write: () => undefined })

interface Printer {
  damage(damage: DamageJson): void
  repair(repair: RepairJson): void
  summary(summary: CheckSummaryJson): void
}

function jsonPrinter(output: Output): Printer {
  const write = (value: CheckAux): void => output.write(`${JSON.stringify(value)}\n`)
  return {
    damage: (Damage) => write({ Damage }),
    repair: (Repair) => write({ Repair }),
    summary: (Summary) => write({ Summary }),
  }
}

function textPrinter(
  output: Output,
  { quiet, repair }: { readonly quiet: boolean; readonly repair: boolean },
): Printer {
  return {
    damage(damage) {
      output.write(`${damage.Kind} ${damage.Id}: ${damage.What}\n`)
      if (quiet) return
      if (damage.Path !== '') output.write(`  at      ${damage.Path}\n`)
      if (damage.UsedBy.length > 0) output.write(`  used by ${damage.UsedBy.join(', ')}\n`)
      if (!repair) output.write(`  cure    ${damage.Cure}\n`)
    },
    repair({ Damage: { Kind, Id }, Outcome, Text }) {
      output.write(`${Outcome} ${Kind} ${Id}: ${Text}\n`)
    },
    summary: (summary) => (quiet ? undefined : output.write(summaryText(summary, repair))),
  }
}

function summaryText(summary: CheckSummaryJson, repair: boolean): string {
  const { Blobs, Layers, Images, Containers, Volumes, Bytes, Seconds, Damages, Healed, Dropped, Left } = summary
  const checked = [
    count(Blobs, 'blob'),
    count(Layers, 'layer'),
    count(Images, 'image'),
    count(Containers, 'container'),
    count(Volumes, 'volume'),
  ].join(', ')
  const outcome = repair ? `: ${Healed} healed, ${Dropped} dropped, ${Left} left` : ''
  const found = Damages === 0 ? 'nothing is damaged' : `${count(Damages, 'damage')} found${outcome}`
  return `Checked ${checked}: ${size(Bytes)} in ${Seconds.toFixed(1)} s. ${found}.\n`
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
