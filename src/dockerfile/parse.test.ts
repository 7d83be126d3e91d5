import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandInstruction } from './expand-instruction.ts'
import { parseDockerfile, parseTrigger } from './parse.ts'
import { DockerfileError } from './source.ts'

const CASES = new URL('testdata/cases/', import.meta.url)

/** Files and what they mean: `expected.json` has what a reader would say of the parsed file, without places. */
test('parseDockerfile() reads the case files', () => {
  const names = readdirSync(CASES)
  assert.ok(names.length >= 10)
  for (const name of names) {
    const text = readFileSync(new URL(`${name}/Dockerfile`, CASES), 'utf8')
    const expected: unknown = JSON.parse(readFileSync(new URL(`${name}/expected.json`, CASES), 'utf8'))
    assert.deepEqual(summary(text), expected, name)
  }
})

const PLACES = new Set(['range', 'keyword', 'text', 'rest', 'flags', 'comments'])

function summary(text: string): unknown {
  const file = parseDockerfile(text)
  const plain = (node: object) =>
    Object.fromEntries(
      Object.entries(node).filter(([key, value]) => !PLACES.has(key) && value !== undefined && !isDefault(value)),
    )
  return {
    directives: file.directives,
    args: file.globalArgs.map((node) => node.args),
    stages: file.stages.map((stage) => [plain(stage.from), ...stage.instructions.map(plain)]),
    warnings: file.warnings.map((warning) => `${warning.range.start.line} ${warning.rule}`),
  }
}

function isDefault(value: unknown): boolean {
  return value === false || value === 0 || (Array.isArray(value) && value.length === 0)
}

/** What the real docker says to each line after a FROM. */
const ERRORS: readonly (readonly [string, string])[] = [
  ['RUNN x', 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)'],
  ['foo', 'dockerfile parse error on line 2: unknown instruction: foo (did you mean from?)'],
  ['xyzzy', 'dockerfile parse error on line 2: unknown instruction: xyzzy'],
  ['FROM', 'dockerfile parse error on line 2: FROM requires either one or three arguments'],
  ['FROM a b', 'dockerfile parse error on line 2: FROM requires either one or three arguments'],
  ['FROM a FOO b', 'dockerfile parse error on line 2: FROM requires either one or three arguments'],
  [
    'FROM a AS 1x',
    `dockerfile parse error on line 2: invalid name for build stage: "1x", name can't start with a number or contain symbols`,
  ],
  ['FROM --foo a', 'dockerfile parse error on line 2: unknown flag: --foo'],
  [
    'RUN ["a", 1]',
    'failed to parse Dockerfile: when using JSON array syntax, arrays must be comprised of strings only',
  ],
  ['RUN --foo=bar x', 'dockerfile parse error on line 2: unknown flag: --foo'],
  ['RUN --network=foo x', 'dockerfile parse error on line 2: invalid network mode "foo"'],
  ['RUN <<EOF', 'failed to parse Dockerfile: unterminated heredoc'],
  [
    'COPY f',
    'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined',
  ],
  ['COPY --foo=1 f /', 'dockerfile parse error on line 2: unknown flag: --foo (did you mean from?)'],
  ['COPY --chown f /', 'dockerfile parse error on line 2: missing a value on flag: --chown'],
  ['COPY --from=0 --from=1 f /', 'dockerfile parse error on line 2: duplicate flag specified: --from'],
  ['COPY --link=maybe f /', 'dockerfile parse error on line 2: expecting boolean value for flag --link, not: maybe'],
  ['COPY --checksum=x f /', 'dockerfile parse error on line 2: unknown flag: --checksum'],
  ['COPY f <<EOF\nEOF', 'dockerfile parse error on line 2: COPY cannot accept a heredoc as a destination'],
  ['ENV', 'dockerfile parse error on line 2: ENV requires at least one argument'],
  ['ENV A', 'failed to parse Dockerfile: ENV must have two arguments'],
  ['ENV A=1 B', `failed to parse Dockerfile: Syntax error - can't find = in "B". Must be of the form: name=value`],
  ['ENV =x', 'dockerfile parse error on line 2: ENV names can not be blank'],
  ['LABEL', 'dockerfile parse error on line 2: LABEL requires at least one argument'],
  ['ARG', 'dockerfile parse error on line 2: ARG requires at least one argument'],
  ['ARG =1', 'dockerfile parse error on line 2: ARG names can not be blank'],
  ['WORKDIR', 'dockerfile parse error on line 2: WORKDIR requires exactly one argument'],
  ['EXPOSE', 'dockerfile parse error on line 2: EXPOSE requires at least one argument'],
  ['VOLUME [""]', 'dockerfile parse error on line 2: VOLUME specified can not be an empty string'],
  ['SHELL /bin/sh', 'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form'],
  ['SHELL []', 'dockerfile parse error on line 2: SHELL requires at least one argument'],
  ['HEALTHCHECK', 'dockerfile parse error on line 2: HEALTHCHECK requires at least one argument'],
  ['HEALTHCHECK CMD', 'dockerfile parse error on line 2: Missing command after HEALTHCHECK CMD'],
  ['HEALTHCHECK NONE x', 'dockerfile parse error on line 2: HEALTHCHECK NONE takes no arguments'],
  ['HEALTHCHECK FOO x', 'dockerfile parse error on line 2: Unknown type "FOO" in HEALTHCHECK (try CMD)'],
  ['HEALTHCHECK --interval=x CMD a', 'dockerfile parse error on line 2: time: invalid duration "x"'],
  ['HEALTHCHECK --interval=5 CMD a', 'dockerfile parse error on line 2: time: missing unit in duration "5"'],
  [
    'HEALTHCHECK --interval=0.5us CMD a',
    'dockerfile parse error on line 2: Interval "interval" cannot be less than 1ms',
  ],
  ['HEALTHCHECK --retries=-1 CMD a', 'dockerfile parse error on line 2: --retries cannot be negative (-1)'],
  ['HEALTHCHECK --retries=x CMD a', 'dockerfile parse error on line 2: strconv.ParseInt: parsing "x": invalid syntax'],
  ['ONBUILD', 'dockerfile parse error on line 2: ONBUILD requires at least one argument'],
  ['ONBUILD ONBUILD RUN x', "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['ONBUILD FROM x', "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
]

test('parseDockerfile() refuses in the words of docker', () => {
  for (const [line, summaryText] of ERRORS)
    assert.throws(
      () => parseDockerfile(`FROM busybox\n${line}\n`),
      (error) => {
        assert.ok(error instanceof DockerfileError)
        assert.equal(error.summary, summaryText)
        assert.equal(error.ranges[0]?.start.line, 2)
        return true
      },
      line,
    )
})

test('parseDockerfile() refuses files without a stage', () => {
  const table = [
    ['', 'failed to parse Dockerfile: file with no instructions'],
    ['# only\n', 'failed to parse Dockerfile: file with no instructions'],
    ['RUN x', 'no build stage in current context'],
    ['ARG X\nRUN x', 'no build stage in current context'],
  ] as const
  for (const [text, message] of table) assert.throws(() => parseDockerfile(text), { summary: message })
})

test('an error shows the file, the line and what is meant', () => {
  assert.throws(() => parseDockerfile('FROM a\n  RUN x\n\tCOPPY  a b\n', 'sub/My.Dockerfile'), {
    message: [
      'dockerfile parse error on line 3: unknown instruction: COPPY (did you mean COPY?)',
      'sub/My.Dockerfile:3',
      '   2 |       RUN x',
      '   3 | >>> \tCOPPY  a b',
      '     |     \t^^^^^',
    ].join('\n'),
  })
})

test('ranges lead to the place in the file, over continuations too', () => {
  const file = parseDockerfile('FROM a\n\nRUN one \\\n  # note\n  two\nCMD x')
  const [run, cmd] = file.stages[0]?.instructions ?? []
  assert.deepEqual(run?.range, { file: 'Dockerfile', start: { line: 3, column: 1 }, end: { line: 5, column: 6 } })
  assert.deepEqual(cmd?.range.start, { line: 6, column: 1 })
})

test('line ends do not matter outside of heredocs', () => {
  const text = 'FROM a\n# x\nRUN b \\\n  c\n\nENV x=1 \\\n y=2\n'
  assert.deepEqual(summary(text.replaceAll('\n', '\r\n')), summary(text))
  assert.deepEqual(summary(text.trimEnd()), summary(text))
  assert.deepEqual(summary(`\uFEFF${text}`), summary(text))
})

test('parseTrigger() reads one instruction and refuses FROM', () => {
  assert.equal(parseTrigger('RUN <<EOF\nhi\nEOF', 'trigger').instruction.kind, 'run')
  assert.throws(() => parseTrigger('FROM x', 'trigger'), DockerfileError)
  assert.throws(() => parseTrigger('RUN a\nRUN b', 'trigger'), DockerfileError)
  assert.throws(() => parseTrigger('', 'trigger'), DockerfileError)
})

const PIECES = [
  ['FROM ', 'RUN ', 'COPY ', 'ADD ', 'ENV ', 'ARG ', 'LABEL ', 'CMD ', 'ENTRYPOINT ', 'EXPOSE ', 'VOLUME '],
  ['USER ', 'WORKDIR ', 'ONBUILD ', 'STOPSIGNAL ', 'HEALTHCHECK ', 'SHELL ', 'MAINTAINER ', 'run ', 'RUNN '],
  ['\n', '\r\n', '\\\n', '`\n', ' ', '\t', '#', '# escape=`\n', '# syntax=x\n', '# check=skip=all\n', '\uFEFF'],
  ['<<EOF', '<<-EOF', '<<"EOF"', '3<<X', '\nEOF\n', '[', ']', '"', "'", ',', '[]', '["a"]', '["a",1]', '{', '}'],
  ['--from=', '--mount=', '--chown=1', '--link', '--', '=', 'a', 'b=c', '$', '${', 'x', ':-', '//', '\\', '\u0000'],
  ['scratch', ' AS ', 'AS x', 'CMD', 'NONE', '--interval=1s ', '99999', '💣', '\ud800', '80/tcp', '\u2028', '.', '/'],
].flat()

function generatedFile(): fc.Arbitrary<string> {
  const lines = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join(''))
  return fc.oneof(
    lines,
    lines.map((text) => `FROM a\n${text}`),
    fc.string({ unit: 'binary', maxLength: 200 }),
  )
}

test('parseDockerfile() throws only DockerfileError, for any of 20,000 generated files', () => {
  fc.assert(
    fc.property(generatedFile(), (text) => {
      try {
        const file = parseDockerfile(text)
        const context = { source: file.source, escape: file.directives.escape }
        for (const node of file.stages.flatMap((stage) => stage.instructions))
          expandInstruction(node, () => undefined, context)
      } catch (error) {
        assert.ok(error instanceof DockerfileError, String(error))
      }
    }),
    { numRuns: 20_000 },
  )
})

test('parseDockerfile() takes time in line with the size of the file', () => {
  const many = 20_000
  const table = [
    `FROM a\n${'RUN x\n'.repeat(many)}`,
    `FROM a\nRUN ${'\\\n'.repeat(many)}x`,
    `FROM a\nRUN ${'x \\\n# c\n'.repeat(many)}x`,
    `FROM a\nRUN ${' '.repeat(500_000)}x`,
    `FROM a\nRUN ${'\\'.repeat(300_000)}`,
    `FROM a\nENV ${'"'.repeat(200_001)}=x`,
    `FROM a\nENV ${'a=b '.repeat(many)}`,
    `FROM a\nCOPY ${'<<EOF '.repeat(many)} /x`,
    `FROM a\nRUN ${'['.repeat(200_000)}`,
    `FROM a\nENV a=${'${x:-'.repeat(100_000)}`,
    `${'# x\n'.repeat(many)}FROM a`,
    `FROM a\nRUN ${'--mount=x '.repeat(many)}y`,
    `FROM a\nRUNN${'N'.repeat(300_000)}`,
  ]
  for (const [index, text] of table.entries()) {
    const started = process.cpuUsage().user
    try {
      parseDockerfile(text)
    } catch (error) {
      assert.ok(error instanceof DockerfileError)
    }
    const milliseconds = (process.cpuUsage().user - started) / 1000
    assert.ok(milliseconds < 3000, `file ${index} took ${milliseconds} ms`)
  }
})
