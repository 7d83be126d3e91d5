/** A method of a view: what follows its name in a template are its arguments. */
export type Method = (...args: readonly string[]) => unknown

/** A row of a list as Go's formatters know it: fields, and methods with arguments; no more than these. */
export interface View {
  readonly kind: 'view'
  /** Named in errors: «*formatter.ContainerContext». */
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly methods: Readonly<Record<string, Method>>
}

const VIEWS = new WeakSet<object>()

export function createView(
  type: string,
  fields: Readonly<Record<string, unknown>>,
  methods: Readonly<Record<string, Method>> = {},
): View {
  const view: View = { kind: 'view', type, fields, methods }
  VIEWS.add(view)
  return view
}

export function isView(value: unknown): value is View {
  return typeof value === 'object' && value !== null && VIEWS.has(value)
}

/** A missing list or map of an object whose type Go knows: empty, but null as JSON. */
export const NIL_LIST: readonly unknown[] = Object.freeze([])
export const NIL_MAP: Readonly<Record<string, unknown>> = Object.freeze({})

/** The same, of a map of text to text. */
const NIL_TEXTS: Readonly<Record<string, unknown>> = Object.freeze({})
const TEXTS = new WeakSet<object>([NIL_TEXTS])

/** The map, known from now on to hold texts alone. */
export function asTexts(map: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (map === NIL_MAP) return NIL_TEXTS
  TEXTS.add(map)
  return map
}

/** Of a map: what it does not hold is an empty text. */
export function holdsTexts(map: object): boolean {
  return TEXTS.has(map)
}

const OPEN = new WeakSet<object>()

/** The map, known from now on to have no more fields than it holds, and no fault where another is asked for. */
export function asOpen(map: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  OPEN.add(map)
  return map
}

/** What the map does not hold is «no value», no error. */
export function isOpen(map: object): boolean {
  return OPEN.has(map) || TEXTS.has(map)
}

const FORMS = new WeakMap<object, Readonly<Record<string, unknown>>>()

/** Says what `json` writes of an object: Go leaves members out that are empty, and has an order of its own. */
export function setForm(value: object, form: Readonly<Record<string, unknown>>): void {
  FORMS.set(value, form)
}

export function formOf(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return FORMS.get(value) ?? value
}

export function isNil(value: unknown): boolean {
  return value === NIL_LIST || value === NIL_MAP || value === NIL_TEXTS || value === NIL_POINTER
}

/** A pointer to nothing: «<nil>» where it is shown. */
export const NIL_POINTER: unique symbol = Symbol('nil')

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isView(value)
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

/** Keys of a map in the order that Go walks them: by bytes. */
export function keysOf(map: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(map).toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
}

/** What `if` and `with` take for true. */
export function isTrue(value: unknown): boolean {
  if (isView(value)) return true
  if (isList(value)) return value.length > 0
  if (isMap(value)) return Object.keys(value).length > 0
  return value !== 0 && value !== NIL_POINTER && Boolean(value)
}

/** The type's name in errors. */
export function typeOf(value: unknown): string {
  if (isView(value)) return value.type
  if (isList(value)) return value.every((each) => typeof each === 'string') ? '[]string' : '[]interface {}'
  if (isMap(value)) return 'map[string]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  return typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'nil'
}
