// SPDX-License-Identifier: Apache-2.0
/** Writes the completion script for bash; it needs nothing but bash 4. */

import { type CompletedCommand, type Completes, valuedFlags } from "./completion_model.ts";

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map((command) => command.name);
  const called = commands.map((command) => `${command.names.join("|")}) command=${command.name} ;;`);
  return `# Completion of peerctl for bash. Load it with: source <(peerctl completion bash)
_peerctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= choice= at=0 equals= flags= dashes=--
  COMPREPLY=()
  # "=" breaks words in bash: --flag=value comes as three.
  if [[ $cur == = ]]; then
    equals=1 cur=
  elif [[ $prev == = ]]; then
    equals=1 prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  case \${COMP_WORDS[0]##*/} in
    ${called.join("\n    ")}
    *)
      at=1
      if ((COMP_CWORD == 1)); then
        _peerctl_words ${[...names, "help"].join(" ")}
        return
      fi
      case \${COMP_WORDS[1]} in
        ${called.join("\n        ")}
        help)
          _peerctl_words ${names.join(" ")}
          return
          ;;
        *) return ;;
      esac
      ;;
  esac
  case $command in
${commands.map((command) => indent(commandCase(command), 4)).join("\n")}
  esac
  if [[ $prev == -?* ]]; then
    prev=\${prev#-} prev=\${prev#-}
    case $command:$prev in
${commands.flatMap((command) => valuedFlags(command).map((flag) => indent(valueCase(command, flag), 6))).join("\n")}
    esac
    if [[ -n $equals ]]; then
      _peerctl_words true false
      return
    fi
  fi
  if [[ $cur == -* ]]; then
    [[ $cur == --* ]] && dashes=--
    local -a all=()
    local flag
    for flag in $flags; do all+=("$dashes$flag"); done
    _peerctl_words "\${all[@]}"
    return
  fi
  case $command in
${
    commands.flatMap((command) => command.args === undefined ? [] : [`    ${command.name}) ${action(command.args)} ;;`])
      .join("\n")
  }
  esac
}
_peerctl_words() {
  mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}
_peerctl_paths() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}
complete -F _peerctl peerctl ${commands.flatMap((command) => command.programs).join(" ")}
`;
}

function commandCase(command: CompletedCommand): string {
  const lines = [`flags="${command.flags.map((flag) => flag.name).join(" ")}" dashes=${command.dashes}`];
  if (command.choices.length > 0) {
    lines.push(
      "if ((COMP_CWORD == at + 1)) && [[ $cur != -* ]]; then",
      `  _peerctl_words ${command.choices.map((choice) => choice.name).join(" ")}`,
      "  return",
      "fi",
      "choice=${COMP_WORDS[at+1]}",
    );
    const own = command.choices.filter((choice) => choice.flags.length > 0).map(({ name, flags, ownDashes }) => {
      const words = flags.map((flag) => flag.name).join(" ");
      return ownDashes ? `  ${name}) flags="${words}" dashes=${ownDashes} ;;` : `  ${name}) flags+=" ${words}" ;;`;
    });
    if (own.length > 0) lines.push("case $choice in", ...own, "esac");
  }
  return `${command.name})\n${indent(lines.join("\n"), 2)}\n  ;;`;
}

function valueCase(command: CompletedCommand, flag: ReturnType<typeof valuedFlags>[number]): string {
  return `${command.name}:${flag.name}) ${action(flag.value)}; return ;;`;
}

function action(what: Completes): string {
  switch (what.kind) {
    case "words":
      return `_peerctl_words ${what.words.join(" ")}`;
    case "files":
      return "_peerctl_paths -f";
    case "directories":
      return "_peerctl_paths -d";
    case "anything":
      return ":";
  }
}

function indent(text: string, columns: number): string {
  return text.split("\n").map((line) => " ".repeat(columns) + line).join("\n");
}
