// SPDX-License-Identifier: Apache-2.0
/** Writes the completion script for zsh; it is loaded after compinit. */

import { type CompletedCommand, type CompletedFlag, type Completes, valuedFlags } from "./completion_model.ts";

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const called = commands.map((command) => `${command.names.join("|")}) command=${command.name} ;;`);
  const summaries = commands.map((command) => described(command.name, command.summary));
  return `#compdef peerctl ${commands.flatMap((command) => command.programs).join(" ")}
# Completion of peerctl for zsh. Load it after compinit with: source <(peerctl completion zsh)
_peerctl() {
  local command choice flag dashes=-- at=1
  local -a commands flags own
  commands=(${summaries.join(" ")})
  case \${words[1]:t} in
    ${called.join("\n    ")}
    *)
      at=2
      if (( CURRENT == 2 )); then
        commands+=(${described("help", "Show help")})
        _describe -t commands command commands
        return
      fi
      case \${words[2]} in
        ${called.join("\n        ")}
        help) _describe -t commands command commands; return ;;
        *) return 1 ;;
      esac
      ;;
  esac
  case $command in
${commands.map(commandCase).join("\n")}
  esac
  if [[ $PREFIX == -*=* ]]; then
    flag=\${PREFIX%%=*}
    compset -P '*='
  elif (( CURRENT > 1 )) && [[ \${words[CURRENT-1]} == -?* ]]; then
    flag=\${words[CURRENT-1]}
  fi
  if [[ -n $flag ]]; then
    flag=\${flag#-}
    case $command:\${flag#-} in
${
    commands.flatMap((command) =>
      valuedFlags(command).map((flag) => `      ${command.name}:${flag.name}) ${action(flag.value)}; return ;;`)
    ).join("\n")
  }
    esac
  fi
  if [[ $PREFIX == -* ]]; then
    [[ $PREFIX == --* ]] && dashes=--
    own=("\${(@)flags/#/$dashes}")
    _describe -o flag own
    return
  fi
  case $command in
${
    commands.flatMap((command) => command.args === undefined ? [] : [`    ${command.name}) ${action(command.args)} ;;`])
      .join("\n")
  }
  esac
}
compdef _peerctl peerctl ${commands.flatMap((command) => command.programs).join(" ")}
`;
}

function commandCase(command: CompletedCommand): string {
  const lines = [`    ${command.name})`, `      dashes=${command.dashes}`, `      flags=(${flagWords(command.flags)})`];
  if (command.choices.length > 0) {
    lines.push(
      "      if (( CURRENT == at + 1 )) && [[ $PREFIX != -* ]]; then",
      `        own=(${command.choices.map((choice) => described(choice.name, choice.summary)).join(" ")})`,
      "        _describe -t choices choice own",
      "        return",
      "      fi",
      "      case ${words[at+1]} in",
      ...command.choices.filter((choice) => choice.flags.length > 0)
        .map(({ name, flags, ownDashes }) =>
          ownDashes
            ? `        ${name}) flags=(${flagWords(flags)}) dashes=${ownDashes} ;;`
            : `        ${name}) flags+=(${flagWords(flags)}) ;;`
        ),
      "      esac",
    );
  }
  return [...lines, "      ;;"].join("\n");
}

function flagWords(flags: readonly CompletedFlag[]): string {
  return flags.map((flag) => described(flag.name, flag.help)).join(" ");
}

function action(what: Completes): string {
  switch (what.kind) {
    case "words":
      return `compadd -- ${what.words.join(" ")}`;
    case "files":
      return "_files";
    case "directories":
      return "_files -/";
    case "anything":
      return ":";
  }
}

/** A word and its description as _describe reads them, quoted for the shell. */
function described(word: string, text: string): string {
  return `'${word.replaceAll(":", "\\:")}:${text.replaceAll("'", "'\\''")}'`;
}
