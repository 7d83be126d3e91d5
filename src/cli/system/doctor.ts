import { command, flag } from '#cli/kit'

export const doctor = command({
  usage: '[OPTIONS]',
  summary: 'Check that this machine has what mica needs, and how to get what is missing',
  flags: {
    'data-root': flag.text('Root directory of persistent state (default "/var/lib/mica")'),
    'exec-root': flag.text('Root directory of what runs (default "/run/mica")'),
    json: flag.switch('Print the findings as JSON'),
  },
  max: 0,
  run: (context, { flags }) =>
    // The daemon's program looks by itself: a doctor must work where no daemon can run.
    context.becomeDaemon([
      'doctor',
      ...(flags['data-root'] === undefined ? [] : ['--data-root', flags['data-root']]),
      ...(flags['exec-root'] === undefined ? [] : ['--exec-root', flags['exec-root']]),
      ...(flags.json ? ['--json'] : []),
    ]),
})
