import { internal } from '#base'
import { runProcess } from './spawn.ts'

/** Applies a script of nft(8), all or nothing, in the network namespace of the calling thread. Throws with nft's own text. */
export async function runNft(commands: string): Promise<void> {
  const { status, stderr } = await runProcess('nft', ['-f', '-'], { input: Buffer.from(commands) })
  if (status.code !== 0) throw internal(`cannot change the packet filter: ${stderr.toString().trim()}`)
}
