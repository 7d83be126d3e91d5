import type { Command } from '#cli/kit'

const HELP = `Usage:  mica daemon [OPTIONS]
        mica daemon stop [--all]

Run the engine in the foreground; stop ends the one that runs, with --all its containers too

Options:
      --bip cidr                     Address and network of the default bridge
      --data-root string             Root directory of persistent state (default "/var/lib/mica")
  -D, --debug                        Log more: the same as --log-level debug
      --default-address-pool list    Blocks from which networks are cut (base=10.10.0.0/16,size=24)
      --exec-root string             Root directory of what runs (default "/run/mica")
      --fixed-cidr string            Part of the default bridge's block that containers get addresses of
      --fixed-cidr-v6 string         IPv6 block of the default bridge
  -H, --host list                    Sockets to listen on (default "unix:///run/mica/mica.sock")
      --icc string                   Whether containers of the default bridge reach each other (default "true")
      --insecure-registry list       Registries (host or CIDR) that are reached without TLS
      --ip address                   Address of the host for published ports that name none (default "0.0.0.0")
      --ipv6                         IPv6 on the default bridge
      --log-driver string            Where output of containers is kept: json-file, local or none (default "json-file")
  -l, --log-level string             debug, info, warn or error (default "info")
      --log-opt list                 Of the log driver: max-size (default 20m) and max-file (default 5)
      --mtu int                      MTU of the default bridge; of the way out, at most 1500, where it is not given
  -p, --pidfile string               Path of the PID file (default "/run/mica/mica.pid")
      --publish-default string       The same as --ip in words: all, loopback, or an address (default "all")
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
