import type { Page } from './browser.ts'
import type { Docker } from './docker.ts'
import { until } from './wait.ts'

const USER = 'editor'
const PASSWORD = 'a-Long-enough-word-9'

/** The title that the installation gives the blog. */
export const TITLE = 'A blog of layers'

/** Seconds for a first start on a loaded machine: the database is made, WordPress copied. */
const PATIENCE = 180

const PARAGRAPH = 'p[data-type="core/paragraph"]'
const PUBLISH = '.editor-post-publish-panel .editor-post-publish-button'

/** Waits until the WordPress of a container answers at its published port; answers its address. Throws with its log where it ended. */
export async function blogAddress(client: Docker, container = 'some-wordpress'): Promise<string> {
  const ports = await client.ok('port', container, '80')
  const port = /:(\d+)$/m.exec(ports)?.[1]
  if (port === undefined) throw new Error(`port 80 of ${container} is not published: ${ports}`)
  const address = `http://127.0.0.1:${port}`
  await until(
    `${address} answers`,
    async () => {
      if ((await client.ok('inspect', '--format', '{{.State.Running}}', container)) !== 'true') {
        const { stdout, stderr } = await client.run(['logs', container])
        throw new Error(`${container} ended:\n${stdout}${stderr}`)
      }
      return answers(address)
    },
    PATIENCE,
  )
  return address
}

async function answers(address: string): Promise<boolean> {
  try {
    return (await fetch(address, { signal: AbortSignal.timeout(30_000) })).ok
  } catch {
    return false
  }
}

/** The page that a blog without a database sends everybody to. */
export async function seesInstallation(page: Page, address: string): Promise<boolean> {
  await page.goto(address)
  return (await page.url()).endsWith('/wp-admin/install.php') && (await page.has('#weblog_title'))
}

/** Fills the installation in; `shot` saves what is shown under a name. */
export async function installBlog(page: Page, shot: (name: string) => Promise<void>): Promise<void> {
  await page.fill('#weblog_title', TITLE)
  await page.fill('#user_login', USER)
  await page.fill('#pass1', PASSWORD)
  await page.fill('#admin_email', 'editor@example.org')
  await shot('installation')
  await page.click('#submit')
  await page.see('text=Log In')
  await shot('installed')
}

export async function signIn(page: Page, address: string): Promise<void> {
  await page.goto(`${address}/wp-login.php`)
  await page.fill('#user_login', USER)
  await page.fill('#user_pass', PASSWORD)
  await page.click('#wp-submit')
  await page.see('#wpadminbar')
}

/** Writes a post in the editor and publishes it, as one who sees the editor for the first time. */
export async function publish(page: Page, address: string, post: { title: string; text: string }): Promise<void> {
  await page.goto(`${address}/wp-admin/post-new.php`)
  await page.click('.components-modal__header button', 'body:not(:has(.components-modal__header))')
  await page.fill('.editor-post-title__input', post.title)
  // The place to click at gives way to a paragraph.
  await page.click('.block-editor-default-block-appender__content', PARAGRAPH)
  await page.fill(PARAGRAPH, post.text)
  await page.click('.editor-post-publish-panel__toggle', PUBLISH)
  await page.click(PUBLISH, '.post-publish-panel__postpublish')
}

/** Reads a post from the front page on, as a visitor. */
export async function readPost(page: Page, address: string, title: string): Promise<string> {
  await page.goto(address)
  await page.click(`text=${title}`)
  await page.see('.wp-block-post-content')
  return page.text()
}
