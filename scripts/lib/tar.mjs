// A tar written in one piece, the same bytes each time: what a small root file system needs, no more.
const BLOCK = 512
const KINDS = { file: '0', link: '1', symlink: '2', folder: '5' }

/**
 * Entries are { path, kind, mode, data?, target? } in order; all belong to root and carry `seconds` as their time.
 * Paths end at 100 bytes: ustar's plain field.
 */
export function tar(entries, seconds) {
  const parts = entries.flatMap((entry) => {
    const data = Buffer.from(entry.data ?? '')
    return [header(entry, data.length, seconds), data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

function header({ path, kind, mode, target = '' }, size, seconds) {
  const block = Buffer.alloc(BLOCK)
  const name = kind === 'folder' ? `${path}/` : path
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(target) > 100)
    throw new Error(`${path}: too long for this tar`)
  block.write(name, 0)
  octal(block, mode, 100, 8)
  octal(block, 0, 108, 8)
  octal(block, 0, 116, 8)
  octal(block, size, 124, 12)
  octal(block, seconds, 136, 12)
  block.write(KINDS[kind], 156)
  block.write(target, 157)
  block.write('ustar\x0000', 257)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function octal(block, value, at, width) {
  block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at)
}
