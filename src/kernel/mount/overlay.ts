import { openSync } from 'node:fs'
import {
  AT_FDCWD,
  checked,
  closeDescriptor,
  cString,
  descriptorPath,
  isErrno,
  libc,
  NUMBER,
  O_PATH,
} from '#kernel/call'
import { parseMountOptions } from './mount-options.ts'
import type { Mount } from './types.ts'

const FSOPEN_CLOEXEC = 1
const FSMOUNT_CLOEXEC = 1
const SET_FLAG = 0
const SET_STRING = 1
const CMD_CREATE = 6
/** The source is the descriptor itself; a link as the last name of the target is followed, as mount(2) does. */
const MOVE_MOUNT = 0x4 | 0x10
const LOWER = 'lowerdir+='

/**
 * Mounts an overlay by the new mount API: one `lowerdir+` a layer, so that 500 of them fit. Kernels before 6.7 do not know
 * that option; there the classic call is made. The kernel's own text is in the message of a failure.
 */
export function attachOverlay(mount: Mount, target: string): void {
  try {
    attachByParts(mount, target)
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOSYS') || !/unknown parameter|not implemented/i.test(error.message)) throw error
    attachClassic(mount, target)
  }
}

/** One mount(2) call; its options are one page, so lowers are named by descriptors: 17 bytes a layer. */
export function attachClassic(mount: Mount, target: string): void {
  const options = parseMountOptions(mount.options)
  const opened: number[] = []
  try {
    const lowers = options.data
      .filter((option) => option.startsWith(LOWER))
      .map((option) => {
        const fd = openSync(option.slice(LOWER.length), O_PATH)
        opened.push(fd)
        return descriptorPath(fd)
      })
    const others = options.data.filter((option) => !option.startsWith(LOWER)).map(escapeOption)
    const data = cString([...others, ...(lowers.length > 0 ? [`lowerdir=${lowers.join(':')}`] : [])].join(','))
    const result = libc().mount(cString(mount.source), cString(target), cString('overlay'), options.flags, data)
    checked(result, { call: 'mount overlay at', path: target })
  } finally {
    for (const fd of opened) closeDescriptor(fd)
  }
}

function attachByParts(mount: Mount, target: string): void {
  const context = libc().fsopen(NUMBER.fsopen, cString('overlay'), FSOPEN_CLOEXEC)
  const fs = checked(context, { call: 'mount overlay at', path: target })
  try {
    const facts = { call: 'mount overlay at', path: target, text: () => contextText(fs) }
    const options = parseMountOptions(mount.options)
    const configure = (command: number, key: string | null, value: string | null): void => {
      const [keyText, valueText] = [key === null ? null : cString(key), value === null ? null : cString(value)]
      checked(libc().fsconfig(NUMBER.fsconfig, fs, command, keyText, valueText, 0), facts)
    }
    configure(SET_STRING, 'source', mount.source)
    for (const option of options.data) {
      const at = option.indexOf('=')
      if (at < 0) configure(SET_FLAG, option, null)
      else shortened(option.slice(at + 1), (value) => configure(SET_STRING, option.slice(0, at), value))
    }
    configure(CMD_CREATE, null, null)
    const fd = checked(libc().fsmount(NUMBER.fsmount, fs, FSMOUNT_CLOEXEC, options.set), facts)
    try {
      const empty = cString('')
      const moved = libc().moveMount(NUMBER.moveMount, fd, empty, AT_FDCWD, cString(target), MOVE_MOUNT)
      checked(moved, facts)
    } finally {
      closeDescriptor(fd)
    }
  } finally {
    closeDescriptor(fs)
  }
}

/** fsconfig takes 255 bytes a value; a longer path goes by a descriptor. */
const VALUE_LIMIT = 255

function shortened(value: string, use: (value: string) => void): void {
  if (Buffer.byteLength(value) <= VALUE_LIMIT || !value.startsWith('/')) {
    use(value)
    return
  }
  const fd = openSync(value, O_PATH)
  try {
    use(descriptorPath(fd))
  } finally {
    closeDescriptor(fd)
  }
}

/** What the kernel says about a failed configuration, one message a read: «e overlay: too many lower directories, limit is 500». */
function contextText(fs: number): string | undefined {
  const lines: string[] = []
  const buffer = Buffer.alloc(1024)
  for (let size = libc().read(fs, buffer, buffer.length); size > 0; size = libc().read(fs, buffer, buffer.length)) {
    lines.push(
      buffer
        .toString('utf8', 0, size)
        .replace(/^[ewi] /, '')
        .trim(),
    )
  }
  return lines.length === 0 ? undefined : lines.join('; ')
}

/** The classic option string takes `,` and `:` as separators and `\` as their escape. */
function escapeOption(option: string): string {
  return option.replaceAll('\\', '\\\\').replaceAll(',', '\\,')
}
