import type { Browser, Page } from '#test/browser'
import type { Docker } from '#test/docker'
import type { TestDaemon } from '#test/daemon'
import { blogAddress, installBlog, publish, readPost, seesInstallation, signIn, TITLE } from '#test/blog'
import { startBrowser } from '#test/browser'
import { findCompose } from '#test/compose'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import { until } from '#test/wait'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'

ownMountNamespace()

const PROJECT = join(import.meta.dirname, '..', '..')
const EXAMPLES = join(PROJECT, 'examples')
/** Screenshots for a person to look at; not kept by git. */
const PICTURES = join(PROJECT, 'test-output', 'wordpress')

const MYSQL_LINE = ['run', '--name', 'some-mysql', '-e', 'MYSQL_ROOT_PASSWORD=mysecretpassword', '-d', 'mysql']
const WORDPRESS_LINE = ['run', '--name', 'some-wordpress', '--link', 'some-mysql:mysql', '-p', '80', '-d', 'wordpress']
const POST = { title: 'Hello from a container', text: 'Written in a browser, kept in a volume.' }

/** Long enough for the packages of both images on a slow line. Milliseconds. */
const BUILD = 900_000

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let mica: Docker
let docker: Docker
let browser: Browser

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  mica = micaClient(daemon.host)
  docker = dockerClient(daemon.host)
  browser = await startBrowser()
})

after(async () => {
  await browser[Symbol.asyncDispose]()
  mica[Symbol.dispose]()
  docker[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

afterEach(async () => {
  await docker.run(['rm', '--force', '--volumes', 'some-wordpress', 'some-mysql', 'neighbour'])
})

const pictureOf =
  (page: Page, prefix: string) =>
  (name: string): Promise<void> =>
    page.screenshot(join(PICTURES, `${prefix}-${name}.png`))

async function imageId(client: Docker, image: string): Promise<string> {
  return client.ok('inspect', '--format', '{{.Id}}', image)
}

test('both images build from Debian; with the second client out of the cache', { timeout: BUILD }, async () => {
  for (const name of ['mysql', 'wordpress']) {
    const line = ['build', '-t', name, join(EXAMPLES, name)]
    const first = await mica.run(line, { timeout: BUILD })
    assert.equal(first.code, 0, first.stdout + first.stderr)
    const id = await imageId(mica, name)
    const second = await docker.run(line, { timeout: BUILD })
    assert.equal(second.code, 0, second.stdout + second.stderr)
    assert.equal(await imageId(docker, name), id)
  }
})

test('both images say what they listen on, where their data lies and how they are stopped', async () => {
  const [mysql, wordpress] = JSON.parse(await mica.ok('inspect', 'mysql', 'wordpress')).map(
    (image: { Config: unknown }) => image.Config,
  )
  assert.deepEqual(mysql.ExposedPorts, { '3306/tcp': {} })
  assert.deepEqual(mysql.Volumes, { '/var/lib/mysql': {} })
  assert.deepEqual(wordpress.ExposedPorts, { '80/tcp': {} })
  assert.deepEqual(wordpress.Volumes, { '/var/www/html': {} })
  assert.equal(wordpress.StopSignal, 'SIGWINCH')
})

test('mysql does not start without a word on its password, wordpress not without a database', async () => {
  const bare = await mica.run(['run', '--rm', 'mysql'])
  assert.equal(bare.code, 1)
  for (const name of ['MYSQL_ROOT_PASSWORD', 'MYSQL_ALLOW_EMPTY_PASSWORD', 'MYSQL_RANDOM_ROOT_PASSWORD'])
    assert.match(bare.stderr, new RegExp(name))
  const alone = await docker.run(['run', '--rm', 'wordpress'])
  assert.equal(alone.code, 1)
  assert.match(alone.stderr, /--link some-mysql:mysql.*WORDPRESS_DB_HOST/)
})

test('mysql has its settings from variables, files, scripts and arguments, and makes its database once', async () => {
  const scripts = folder.join('scripts')
  mkdirSync(scripts)
  writeFileSync(join(scripts, '1.sql'), 'CREATE TABLE notes (text CHAR(9)); INSERT INTO notes VALUES ("plain");')
  writeFileSync(join(scripts, '2.sql.gz'), gzipSync('INSERT INTO notes VALUES ("packed");'))
  writeFileSync(join(scripts, '3.sh'), `docker_process_sql -D shop <<<'INSERT INTO notes VALUES ("shell")'`)
  const secret = folder.join('secret')
  writeFileSync(secret, "it's \\ a `secret\n")
  const mounts = ['-v', `${scripts}:/docker-entrypoint-initdb.d:ro`, '-v', `${secret}:/run/secret:ro`]
  const account = ['-e', 'MYSQL_DATABASE=shop', '-e', 'MYSQL_USER=clerk', '-e', "MYSQL_PASSWORD=clerk's"]
  const line = [
    'run',
    '-d',
    '--name',
    'some-mysql',
    ...mounts,
    '-e',
    'MYSQL_ROOT_PASSWORD_FILE=/run/secret',
    ...account,
  ]
  await docker.ok(...line, 'mysql', '--max-connections=77')
  const ask = async (password: string, ...words: readonly string[]): Promise<string> =>
    docker.ok('exec', '-e', `MYSQL_PWD=${password}`, 'some-mysql', 'mysql', '-N', '--protocol=tcp', ...words)
  const answers = async (): Promise<boolean> =>
    (await ask("clerk's", '-uclerk', 'shop', '-e', 'DO 1').catch(() => null)) === ''
  await until('mysql answers', answers, 120)
  assert.equal(await ask("clerk's", '-uclerk', 'shop', '-e', 'SELECT * FROM notes'), 'plain\npacked\nshell')
  assert.equal(await ask("it's \\ a `secret", '-uroot', '-e', 'SELECT @@max_connections'), '77')
  assert.match(await docker.ok('exec', 'some-mysql', 'cat', '/proc/1/status'), /^Uid:\s+999\s/m, 'not as root')
  await docker.ok('restart', '--time', '60', 'some-mysql')
  await until('mysql answers again', answers, 120)
  assert.equal(await ask("clerk's", '-uclerk', 'shop', '-e', 'SELECT COUNT(*) FROM notes'), '3')
  await docker.ok('stop', '--time', '60', 'some-mysql')
  assert.equal(await docker.ok('inspect', '--format', '{{.State.ExitCode}}', 'some-mysql'), '0')
})

test('the two lines give a blog: installed, written to, and kept over stop, start and a new container', async () => {
  const page = await browser.open()
  const shot = pictureOf(page, 'mica')
  await mica.ok(...MYSQL_LINE)
  await mica.ok(...WORDPRESS_LINE)
  let address = await blogAddress(mica)
  assert.ok(await seesInstallation(page, address))
  await installBlog(page, shot)
  await signIn(page, address)
  await publish(page, address, POST)
  await shot('published')
  assert.match(await readPost(page, address, POST.title), new RegExp(POST.text))
  await shot('post')

  await mica.ok('stop', 'some-wordpress', 'some-mysql')
  assert.deepEqual(await exitCodes(mica), ['0', '0'], 'both end by themselves')
  await mica.ok('start', 'some-mysql', 'some-wordpress')
  address = await blogAddress(mica)
  assert.match(await readPost(page, address, POST.title), new RegExp(POST.text), 'after stop and start')

  await mica.ok('rm', '--force', 'some-wordpress')
  await mica.ok(...WORDPRESS_LINE)
  address = await blogAddress(mica)
  assert.match(await readPost(page, address, POST.title), new RegExp(POST.text), 'with a new container of wordpress')
  await shot('new-container')

  await mica.ok('rm', '--force', '--volumes', 'some-wordpress', 'some-mysql')
  await mica.ok(...MYSQL_LINE)
  await mica.ok(...WORDPRESS_LINE)
  address = await blogAddress(mica)
  assert.ok(await seesInstallation(page, address), 'rm -v takes the database with it')
  await shot('gone')
})

async function exitCodes(client: Docker): Promise<readonly string[]> {
  const said = await client.ok('inspect', '--format', '{{.State.ExitCode}}', 'some-mysql', 'some-wordpress')
  return said.split('\n')
}

test('the same two lines with the stock docker client', async () => {
  const page = await browser.open()
  const volumes = await docker.ok('volume', 'ls', '-q')
  await docker.ok(...MYSQL_LINE)
  await docker.ok(...WORDPRESS_LINE)
  let address = await blogAddress(docker)
  assert.ok(await seesInstallation(page, address))
  await installBlog(page, pictureOf(page, 'docker'))
  await docker.ok('stop', 'some-wordpress', 'some-mysql')
  await docker.ok('start', 'some-mysql', 'some-wordpress')
  address = await blogAddress(docker)
  await page.goto(address)
  assert.match(await page.text(), new RegExp(TITLE))

  // The name in the running WordPress leads to where the database is now, whoever has its old address.
  await docker.ok('stop', 'some-mysql')
  await docker.ok('run', '-d', '--name', 'neighbour', 'mysql', 'sleep', 'infinity')
  await docker.ok('start', 'some-mysql')
  await page.goto(await blogAddress(docker))
  assert.match(await page.text(), new RegExp(TITLE), 'the database at another address')
  await docker.ok('rm', '-f', '-v', 'some-wordpress', 'some-mysql', 'neighbour')
  assert.equal(await docker.ok('volume', 'ls', '-q'), volumes, 'the volumes of both have gone with them')
})

test('docker compose brings both up, down, and up again with their data', async (t) => {
  const compose = findCompose(daemon.host, join(EXAMPLES, 'wordpress', 'compose.yaml'))
  if (compose === undefined) return t.skip('docker compose v2 is not on this machine; Debian 12 has version 1 alone')
  const page = await browser.open()
  const volumes = await docker.ok('volume', 'ls', '-q')
  await compose('up', '--detach')
  let address = await blogAddress(docker, 'blog-wordpress-1')
  assert.ok(await seesInstallation(page, address))
  await installBlog(page, pictureOf(page, 'compose'))
  await compose('down')
  assert.equal(await docker.ok('ps', '-aq'), '')
  await compose('up', '--detach')
  address = await blogAddress(docker, 'blog-wordpress-1')
  await page.goto(address)
  assert.match(await page.text(), new RegExp(TITLE), 'the data was kept')
  await compose('down', '--volumes')
  assert.equal(await docker.ok('volume', 'ls', '-q'), volumes)
  assert.doesNotMatch(await docker.ok('network', 'ls'), /blog/)
})
