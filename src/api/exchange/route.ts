import type { Exchange, SmallExchange } from './exchange.ts'

export type Handler = (exchange: Exchange) => Promise<void> | void

interface Row {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  readonly pattern: string
}

interface UsualRoute extends Row {
  readonly isSmall?: undefined
  readonly handle: Handler
  /** Takes the connection over (attach, exec start). */
  readonly hijacks?: boolean
  /** Its body is left on the connection where possible, for a worker to read it there. */
  readonly takesBody?: boolean
}

/** Of GET and HEAD: it needs the request's head alone and replies in one piece, and costs less where the request came so. */
interface SmallRoute extends Row {
  readonly isSmall: true
  readonly hijacks?: undefined
  readonly takesBody?: undefined
  readonly handle: (exchange: SmallExchange) => Promise<void> | void
}

/** A row of a route table. `{id}` is one part of the path, `{name...}` one or more. */
export type Route = UsualRoute | SmallRoute

export interface RouteMatch {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

export interface Router {
  find(method: string, path: string): RouteMatch | undefined
}

/** A row that says the path as it is goes first, then the rows of one method and first part of the path, in order. */
export function createRouter(routes: readonly Route[]): Router {
  const isPlain = ({ pattern }: Route): boolean => !pattern.includes('{')
  const plain = new Map(
    routes.filter(isPlain).map((route) => [`${route.method} ${route.pattern}`, { route, params: {} }]),
  )
  const groups = Map.groupBy(
    routes.filter((route) => !isPlain(route)).map((route) => ({ route, ...compile(route.pattern) })),
    ({ route }) => groupOf(route.method, route.pattern),
  )
  return {
    find(method, path) {
      const said = plain.get(`${method} ${path}`)
      if (said) return said
      for (const { route, expression, names } of groups.get(groupOf(method, path)) ?? []) {
        const match = expression.exec(path)
        const params = match && decodeParams(names, match.slice(1))
        if (params) return { route, params }
      }
      return undefined
    },
  }
}

function groupOf(method: string, path: string): string {
  return `${method} ${path.split('/', 2)[1] ?? ''}`
}

function compile(pattern: string): { readonly expression: RegExp; readonly names: readonly string[] } {
  const names: string[] = []
  const source = pattern
    .replaceAll('.', '\\.')
    .replaceAll(/\{(\w+)(\\\.\\\.\\\.)?\}/g, (_, name: string, many?: string) => {
      names.push(name)
      return many === undefined ? '([^/]+)' : '(.+)'
    })
  return { expression: new RegExp(`^${source}$`), names }
}

/** Undefined where a part is not well-formed percent-encoding. */
function decodeParams(names: readonly string[], values: readonly string[]): Record<string, string> | undefined {
  try {
    return Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index] ?? '')]))
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
