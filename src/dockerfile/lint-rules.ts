const URL = 'https://docs.docker.com/go/dockerfile/rule'

function rule<Slug extends string>(slug: Slug, description: string) {
  return { description, url: `${URL}/${slug}/` }
}

/** The rules of `build --check` that the parser can look at, by name (Dockerfile reference, «Build checks»). */
export const LINT_RULES = {
  ConsistentInstructionCasing: rule('consistent-instruction-casing', 'all keywords of a file are written in one case'),
  DuplicateStageName: rule('duplicate-stage-name', 'each stage has a name of its own'),
  ExposeInvalidFormat: rule('expose-invalid-format', 'EXPOSE takes no addresses and no host ports'),
  ExposeProtoCasing: rule('expose-proto-casing', 'protocols of EXPOSE are written in lower case'),
  FromAsCasing: rule('from-as-casing', 'FROM and AS are written in the same case'),
  FromPlatformFlagConstDisallowed: rule(
    'from-platform-flag-const-disallowed',
    'FROM --platform is a variable, not one fixed platform',
  ),
  InvalidDefaultArgInFrom: rule('invalid-default-arg-in-from', 'a FROM is valid with the defaults of its arguments'),
  JSONArgsRecommended: rule('json-args-recommended', 'CMD and ENTRYPOINT in JSON form get signals'),
  LegacyKeyValueFormat: rule('legacy-key-value-format', 'ENV and LABEL are written with an equals sign'),
  MaintainerDeprecated: rule('maintainer-deprecated', 'a label says who maintains an image'),
  MultipleInstructionsDisallowed: rule(
    'multiple-instructions-disallowed',
    'of several CMD, ENTRYPOINT or HEALTHCHECK only the last counts',
  ),
  NoEmptyContinuation: rule('no-empty-continuation', 'no blank lines within a continued instruction'),
  RedundantTargetPlatform: rule('redundant-target-platform', 'the target platform is what FROM takes anyway'),
  ReservedStageName: rule('reserved-stage-name', 'a stage is not named as something that has a meaning already'),
  SecretsUsedInArgOrEnv: rule(
    'secrets-used-in-arg-or-env',
    'secrets do not go into ARG or ENV: they stay in the image',
  ),
  StageNameCasing: rule('stage-name-casing', 'names of stages are written in lower case'),
  UndefinedArgInFrom: rule('undefined-arg-in-from', 'FROM uses only arguments declared before the first stage'),
  UndefinedVar: rule('undefined-var', 'variables are declared before they are used'),
  WorkdirRelativePath: rule('workdir-relative-path', 'the first WORKDIR of a stage is absolute'),
} as const

export type LintRuleName = keyof typeof LINT_RULES
