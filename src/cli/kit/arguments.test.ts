import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseWords } from './arguments.ts'
import { flag } from './command.ts'
import { CommandLineError } from './error.ts'

const specs = {
  interactive: flag.switch('', { short: 'i' }),
  tty: flag.switch('', { short: 't' }),
  'sig-proxy': flag.switch('', { on: true }),
  name: flag.text(''),
  memory: flag.text('', { short: 'm' }),
  last: flag.number('', { short: 'n' }),
  env: flag.list('', { short: 'e' }),
}

const read = (text: string, leading = true) => parseWords(specs, text === '' ? [] : text.split(' '), { leading })

test('parseWords() reads flags as pflag does', () => {
  const table: readonly (readonly [string, object, readonly string[]])[] = [
    ['-it image', { interactive: true, tty: true }, ['image']],
    ['-im5 image', { interactive: true, memory: '5' }, ['image']],
    ['-m=5 image', { memory: '5' }, ['image']],
    ['-m 5 image', { memory: '5' }, ['image']],
    ['--name=x=y image', { name: 'x=y' }, ['image']],
    ['--name -x image', { name: '-x' }, ['image']],
    ['-e a=1 -eb=2 --env c image', { env: ['a=1', 'b=2', 'c'] }, ['image']],
    ['--sig-proxy=false image', { 'sig-proxy': false }, ['image']],
    ['-t=0 image', { tty: false }, ['image']],
    ['-n -3', { last: -3 }, []],
    ['image -it --name', {}, ['image', '-it', '--name']],
    ['-- -it', {}, ['-it']],
    ['-', {}, ['-']],
  ]
  for (const [text, flags, args] of table) {
    const parsed = read(text)
    for (const [name, value] of Object.entries(flags))
      assert.deepEqual(Object.entries(parsed.flags).find(([key]) => key === name)?.[1], value, text)
    assert.deepEqual(parsed.args, args, text)
  }
})

test('parseWords() takes flags after other words where they do not end them', () => {
  const { flags, args } = read('one -i two --name x', false)
  assert.deepEqual([flags.interactive, flags.name, args], [true, 'x', ['one', 'two']])
})

test('parseWords() gives absent flags their defaults and tells which were given', () => {
  const { flags, given, help } = read('')
  assert.deepEqual(
    { ...flags },
    { interactive: false, tty: false, 'sig-proxy': true, name: undefined, memory: undefined, last: undefined, env: [] },
  )
  assert.deepEqual([given.size, help], [0, false])
  assert.deepEqual([...read('-i').given], ['interactive'])
  assert.deepEqual([read('--help').help, read('-h').help], [true, true])
})

test('parseWords() refuses in docker words', () => {
  const table: readonly (readonly [string, string])[] = [
    ['--nosuch', 'unknown flag: --nosuch'],
    ['-iz', "unknown shorthand flag: 'z' in -iz"],
    ['--name', 'flag needs an argument: --name'],
    ['-im', "flag needs an argument: 'm' in -im"],
    ['-it=foo', 'invalid argument "foo" for "-t, --tty" flag: strconv.ParseBool: parsing "foo": invalid syntax'],
    ['--last x', 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    ['--=x', 'bad flag syntax: --=x'],
    ['---x', 'bad flag syntax: ---x'],
  ]
  for (const [text, message] of table) assert.throws(() => read(text), { message, exit: 125 }, text)
})

test('parseWords() names a typographic dash and what was meant', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['–rm image', /^"–rm" begins with an en dash \(U\+2013\), not with a hyphen: type --rm;/],
    ['—name=x', /an em dash \(U\+2014\), not with a hyphen: type --name=x;/],
    ['–d', /type -d;/],
    ['−it', /a minus sign \(U\+2212\)/],
  ]
  for (const [text, message] of table) assert.throws(() => read(text), { message, exit: 125 }, text)
  assert.throws(() => read('â€“p 80 image'), {
    message: /a dash that was decoded wrongly \(U\+00E2\), not with a hyphen: type -p;/,
  })
  assert.deepEqual(read('image –rm').args, ['image', '–rm'])
})

test('parseWords() throws only CommandLineError', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('-i', '-it', '--name', '-m', '--', '-', '--env=', '-e', '--last=5', '__proto__', '--constructor'),
  )
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (words, leading) => {
      try {
        parseWords(specs, words, { leading })
      } catch (error) {
        assert.ok(error instanceof CommandLineError)
      }
    }),
  )
})
