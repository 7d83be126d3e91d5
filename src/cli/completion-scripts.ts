/** What `mica completion SHELL` prints: `eval "$(mica completion bash)"`. */
export const completionScripts: Readonly<Record<string, string>> = {
  bash: String.raw`_mica() {
  local IFS=$'\n' out word typed=() last='' head='' at
  # bash takes a colon for a word of its own: what belongs together is joined again
  for ((at = 1; at <= COMP_CWORD; at++)); do
    word=${'$'}{COMP_WORDS[at]}
    if ((${'$'}{#typed[@]})) && [[ $word == :* || $last == *: ]] && [[ $word != '' || ${'$'}{COMP_LINE:0:COMP_POINT} != *[[:space:]] ]]; then
      typed[${'$'}{#typed[@]}-1]+=$word
    else typed+=("$word")
    fi
    last=$word
  done
  out=$(mica __completeNoDesc "${'$'}{typed[@]}" 2>/dev/null) || return
  word=${'$'}{typed[${'$'}{#typed[@]}-1]}
  [[ $word == *:* && $COMP_WORDBREAKS == *:* ]] && head=${'$'}{word%:*}:
  COMPREPLY=()
  for word in ${'$'}{out%:*}; do COMPREPLY+=("${'$'}{word#"$head"}"); done
  if [ "${'$'}{out##*:}" = 6 ]; then compopt -o nospace; fi
  if [ ${'$'}{#COMPREPLY[@]} -eq 0 ] && [ "${'$'}{out##*:}" = 0 ]; then compopt -o default; fi
}
complete -F _mica mica
`,
  zsh: String.raw`#compdef mica
_mica() {
  local -a found
  found=("${'$'}{(@f)$(mica __complete "${'$'}{(@)words[2,CURRENT]}" 2>/dev/null)}")
  local directive=${'$'}{found[-1]#:}
  found=("${'$'}{(@)found[1,-2]}")
  found=("${'$'}{(@)found//:/\\:}")
  found=("${'$'}{(@)found/$'\t'/:}")
  if (( ${'$'}{#found} )); then _describe mica found
  elif (( directive == 0 )); then _files
  fi
}
compdef _mica mica
`,
  fish: String.raw`function __mica_complete
  set -l typed (commandline -opc) (commandline -ct)
  mica __complete $typed[2..] 2>/dev/null | string match -v -r '^:\d+$'
end
complete -c mica -a '(__mica_complete)'
`,
}
