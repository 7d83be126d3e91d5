import type { Command } from '#cli/kit'

const HELP = `Usage:  mica daemon [OPTIONS]
        mica daemon stop [--all]

Run the engine in the foreground; stop ends the one that runs, with --all its containers too

Options:
      --bip cidr                     Address and network of the default bridge
      --data-root string             Root directory of persistent state (default "/var/lib/mica")
  -D, --debug                        Log more: the same as --log-level debug
      --exec-root string             Root directory of what runs (default "/run/mica")
  -H, --host list                    Sockets to listen on (default "unix:///run/mica/mica.sock")
      --insecure-registry list       Registries (host or CIDR) that are reached without TLS
      --log-driver string            Where output of containers is kept: json-file, local or none (default "json-file")
  -l, --log-level string             debug, info, warn or error (default "info")
      --log-opt list                 Of the log driver: max-size (default 20m) and max-file (default 5)
  -p, --pidfile string               Path of the PID file (default "/run/mica/mica.pid")
      --registry-mirror list         Registry that is asked before docker.io itself
`

/** Its words are the daemon's own: it reads them itself. */
export const daemon: Command = {
  flags: {},
  usage: '[OPTIONS]',
  summary: 'Run the engine in the foreground, or end the one that runs',
  async start(context, words) {
    if (words.some((word) => word === '--help' || word === '-h')) {
      context.io.stdout.write(HELP)
      return 0
    }
    return await context.becomeDaemon(words)
  },
}
