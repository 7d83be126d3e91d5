import { abbreviate } from '#base'
import { command, CommandLineError, ellipsis, flag, formatRows, size } from '#cli/kit'
import type { LayerChangesJson, LayersJson } from '#wire'
import { showFiles } from './layer-files.ts'

const COLUMNS = {
  Role: 'ROLE',
  Layer: 'LAYER',
  Instruction: 'CREATED BY',
  Size: 'SIZE',
  Files: 'FILES',
  SharedWith: 'SHARED WITH',
}
const SHOWN = ['Role', 'Layer', 'Instruction', 'Size', 'Files', 'SharedWith']
const INSTRUCTION_WIDTH = 45

export const layers = command({
  usage: '[OPTIONS] IMAGE|CONTAINER [PATH...]',
  summary: 'Show the layers of an image or container, top first, with what each changed and who shares it',
  flags: {
    files: flag.switch('Show which layer of an image each path comes from (all, or PATH and below), and what it hides'),
    format: flag.text('Format output: table, json, or a template such as {{.Instruction}}'),
    'min-efficiency': flag.number('Exit with 1 where less percent of the bytes are seen (implies --files)'),
    'no-trunc': flag.switch("Don't truncate output"),
    wasted: flag.switch('Show only paths that hide something or are hidden (implies --files)'),
  },
  min: 1,
  async run(context, { flags, args: [name = '', ...paths] }) {
    const { format, wasted, 'no-trunc': whole, 'min-efficiency': least } = flags
    if (flags.files || wasted || least !== undefined)
      return await showFiles(context, name, { paths, format, whole, wasted, least })
    if (paths.length > 0) throw new CommandLineError(`paths are shown with --files: ${paths.join(' ')}`, { exit: 1 })
    const { client, io } = context
    const view = await client.get<LayersJson>(`/x/images/${encodeURIComponent(name)}/layers`)
    const rows = rowsOf(view, flags['no-trunc'])
    io.stdout.write(formatRows(rows, { columns: COLUMNS, shown: SHOWN, format: flags.format }))
    return 0
  },
})

type Row = Readonly<Record<keyof typeof COLUMNS, string>>

/** As layers lie: the writable one on top, the kernel below all. */
function rowsOf({ Layers, Writable, Kernel }: LayersJson, whole: boolean): readonly Row[] {
  const middle = Layers.map((layer): Row => {
    const instruction = layer.Instruction.replaceAll(/\s+/g, ' ')
    return {
      Role: layer.Role,
      Layer: whole ? layer.DiffId : abbreviate(layer.DiffId),
      Instruction: whole ? instruction : ellipsis(instruction, INSTRUCTION_WIDTH),
      Size: size(layer.Size),
      Files: changes(layer.Changes),
      SharedWith: layer.SharedWith.join(', '),
    }
  })
  const top: readonly Row[] = Writable
    ? [
        {
          Role: 'writable',
          Layer: abbreviate(Writable.Container),
          Instruction: 'what the container wrote; goes with it',
          Size: size(Writable.Size),
          Files: changes(Writable.Changes),
          SharedWith: '',
        },
      ]
    : []
  const kernel: Row = {
    Role: 'kernel',
    Layer: '',
    Instruction: Kernel,
    Size: '',
    Files: '',
    SharedWith: 'every container',
  }
  return [...top, ...middle.toReversed(), kernel]
}

/** «+12 ~3 -1»: files added, changed, removed. */
function changes({ Added, Changed, Removed }: LayerChangesJson): string {
  return `+${Added} ~${Changed} -${Removed}`
}
