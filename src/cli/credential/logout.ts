import { messageOf } from '#base'
import { command } from '#cli/kit'
import { HUB_KEY } from './account.ts'
import { openAccounts } from './accounts.ts'
import { serverKey } from './login.ts'

export const logout = command({
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  flags: {},
  max: 1,
  async run(context, { args: [server = ''] }) {
    const { stdout, stderr } = context.io
    const key = serverKey(server)
    stdout.write(`Removing login credentials for ${key}\n`)
    const failures: string[] = []
    for (const name of key === HUB_KEY ? [key] : [key, `http://${key}`, `https://${key}`]) {
      try {
        await (await openAccounts(context)).remove(name)
      } catch (error) {
        failures.push(`${name}: ${messageOf(error)}\n`)
      }
    }
    const [first] = failures
    if (first !== undefined) stderr.write(`WARNING: could not erase credentials:\n${first}`)
    return 0
  },
})
