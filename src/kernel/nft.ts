import { internal, unavailable } from '#base'
import { runProcess } from './spawn.ts'
import { isErrno } from './system-call-error.ts'

/** Applies a script of nft(8), all or nothing, in the network namespace of the calling thread. Throws with nft's own text. */
export async function runNft(commands: string): Promise<void> {
  await nft(['-f', '-'], Buffer.from(commands))
}

/** The whole packet filter of the calling thread's network namespace, as nft's JSON (libnftables-json(5)). */
export async function listNft(): Promise<unknown> {
  return JSON.parse((await nft(['-j', '-a', 'list', 'ruleset'])).toString())
}

async function nft(args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  try {
    const { status, stdout, stderr } = await runProcess('nft', args, input ? { input } : {})
    if (status.code === 0) return stdout
    throw internal(`cannot use the packet filter: ${stderr.toString().trim()}`)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw unavailable('cannot use the packet filter: nft is not installed (apt-get install nftables)', { cause: error })
  }
}
