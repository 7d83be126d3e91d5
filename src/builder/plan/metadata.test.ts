import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrigger } from '#dockerfile'
import type { RunConfig } from '#oci'
import { applyChanges } from './changes.ts'
import { applyMetadata, createdBy } from './metadata.ts'

const CONFIG: RunConfig = { Env: ['A=1'], Cmd: ['base'], Labels: { old: 'x' }, WorkingDir: '/w' }

/** Line, its history as the classic builder writes it, and the settings that it changes. */
const LINES: readonly (readonly [string, string, Partial<RunConfig>])[] = [
  ['ENV B=2 A=3', 'ENV B=2 A=3', { Env: ['A=3', 'B=2'] }],
  ['LABEL a=b c=d', 'LABEL a=b c=d', { Labels: { old: 'x', a: 'b', c: 'd' } }],
  ['MAINTAINER me', 'MAINTAINER me', {}],
  [
    'EXPOSE 80 70/udp 5-6',
    'EXPOSE 5-6 70/udp 80',
    { ExposedPorts: { '80/tcp': {}, '70/udp': {}, '5/tcp': {}, '6/tcp': {} } },
  ],
  ['USER nobody:x', 'USER nobody:x', { User: 'nobody:x' }],
  ['VOLUME /v /w', 'VOLUME [/v /w]', { Volumes: { '/v': {}, '/w': {} } }],
  ['STOPSIGNAL SIGUSR1', 'STOPSIGNAL SIGUSR1', { StopSignal: 'SIGUSR1' }],
  ['STOPSIGNAL RTMIN+3', 'STOPSIGNAL RTMIN+3', { StopSignal: 'RTMIN+3' }],
  ['CMD ["ls", "-l"]', 'CMD ["ls" "-l"]', { Cmd: ['ls', '-l'] }],
  ['CMD ls -l', 'CMD ["/bin/sh" "-c" "ls -l"]', { Cmd: ['/bin/sh', '-c', 'ls -l'] }],
  ['CMD []', 'CMD []', { Cmd: null }],
  ['ENTRYPOINT ["a b"]', 'ENTRYPOINT ["a b"]', { Entrypoint: ['a b'], Cmd: null }],
  ['SHELL ["/bin/bash", "-c"]', 'SHELL [/bin/bash -c]', { Shell: ['/bin/bash', '-c'] }],
  ['ONBUILD RUN x', 'ONBUILD RUN x', { OnBuild: ['RUN x'] }],
  ['HEALTHCHECK NONE', 'HEALTHCHECK &{[NONE] 0s 0s 0s 0s 0}', { Healthcheck: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=90s --timeout=1500ms --start-period=1h --start-interval=5ms --retries=3 CMD ls -l',
    'HEALTHCHECK &{[CMD-SHELL ls -l] 1m30s 1.5s 1h0m0s 5ms 3}',
    {
      Healthcheck: {
        Test: ['CMD-SHELL', 'ls -l'],
        Interval: 90e9,
        Timeout: 1.5e9,
        StartPeriod: 3600e9,
        StartInterval: 5e6,
        Retries: 3,
      },
    },
  ],
]

function nodeOf(line: string) {
  return parseTrigger(line, 'test').instruction
}

test('applyMetadata() changes the settings and says so as the classic builder does', () => {
  for (const [line, text, changed] of LINES) {
    const change = applyMetadata({ config: CONFIG, commandGiven: false }, nodeOf(line))
    assert.equal(change?.text, text)
    assert.deepEqual(change?.config, { ...CONFIG, ...changed }, line)
  }
})

test('applyMetadata() leaves a CMD of this file to a later ENTRYPOINT', () => {
  const change = applyMetadata({ config: CONFIG, commandGiven: true }, nodeOf('ENTRYPOINT ["a"]'))
  assert.deepEqual(change?.config.Cmd, ['base'])
})

test('applyMetadata() refuses values that mean nothing, in the words of docker', () => {
  const table = [
    ['EXPOSE 99999', 'Invalid containerPort: 99999'],
    ['EXPOSE abc', 'Invalid containerPort: abc'],
    ['EXPOSE 9-5', 'Invalid containerPort: 9-5'],
    ['EXPOSE 80/foo', 'Invalid proto: foo'],
    ['STOPSIGNAL NOPE', 'invalid signal: NOPE'],
    ['STOPSIGNAL 65', 'invalid signal: 65'],
  ] as const
  for (const [line, message] of table)
    assert.throws(() => applyMetadata({ config: {}, commandGiven: false }, nodeOf(line)), { kind: 'invalid', message })
})

test('createdBy() begins with the shell in force', () => {
  assert.equal(createdBy({}, ' CMD ["x"]'), '/bin/sh -c #(nop)  CMD ["x"]')
  assert.equal(createdBy({ Shell: ['/bin/bash', '-c'] }, 'WORKDIR /w'), '/bin/bash -c #(nop) WORKDIR /w')
})

test('applyChanges() takes settings and refuses what changes files', () => {
  assert.deepEqual(applyChanges({ WorkingDir: '/a' }, ['WORKDIR b', 'CMD ["x"]', 'ENV K=v']), {
    WorkingDir: '/a/b',
    Cmd: ['x'],
    Env: ['K=v'],
  })
  assert.throws(() => applyChanges({}, ['RUN x']), /RUN is not a valid change command/)
  assert.throws(() => applyChanges({}, ['FROM x']), /FROM is not a valid change command/)
  assert.throws(() => applyChanges({}, ['nosuch 1']), /NOSUCH is not a valid change command/)
  assert.throws(() => applyChanges({}, ['ENV']), { name: 'DockerfileError' })
})
