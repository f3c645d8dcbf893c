/** `patchwire completion`: a script that completes commands, options and names in a shell; what it asks for, this command answers. */
import { type Command, InvalidArgumentError } from 'commander';
import { complete } from '../completing.ts';
import { PatchwireError } from '../../model/errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Bind } from '../program.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# patchwire completion for bash: put it into ~/.bashrc as
#   source <(patchwire completion bash)
_patchwire() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" completion --complete "$COMP_CWORD" -- "\${COMP_WORDS[@]:1}" 2>/dev/null))
}
complete -o default -F _patchwire patchwire`,
  zsh: `#compdef patchwire
# patchwire completion for zsh: put it into ~/.zshrc, behind compinit, as
#   source <(patchwire completion zsh)
_patchwire() {
  local -a found
  found=("\${(@f)$("\${words[1]}" completion --complete $((CURRENT - 1)) -- "\${(@)words[2,-1]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    compadd -- "\${found[@]}"
  else
    _files
  fi
}
compdef _patchwire patchwire`,
};

export function addCompletionCommand(program: Command, bind: Bind): void {
  const command = program
    .command('completion')
    .argument('[words...]', 'bash or zsh')
    .description('Print the completion script of a shell: commands, options, tables and sections of the configuration.')
    .option('--complete <index>', 'answer the script: the words behind -- are the line, the index is the word to complete', parseIndex)
    .addHelpText(
      'after',
      `
It reads the configuration and connects to nothing.

Examples:
  $ source <(patchwire completion bash)
  $ patchwire completion zsh > ~/.zsh/_patchwire`,
    );
  bind(command, ({ output, control }) => {
    const { complete: index } = command.opts<{ complete?: number }>();
    if (index !== undefined) {
      const found = complete(program, { words: command.args, index: index - 1, env: control.env });
      if (found.length > 0) {
        output.line(found.join('\n'));
      }
      return Promise.resolve(EXIT.ok);
    }
    const [shell, ...rest] = command.args;
    const script = shell === undefined || rest.length > 0 || !Object.hasOwn(SCRIPTS, shell) ? undefined : SCRIPTS[shell];
    if (script === undefined) {
      throw new PatchwireError('PW-C109', `completion takes a shell: ${Object.keys(SCRIPTS).join(' or ')}`);
    }
    output.line(script);
    return Promise.resolve(EXIT.ok);
  });
}

function parseIndex(text: string): number {
  if (!/^[0-9]{1,4}$/u.test(text)) {
    throw new InvalidArgumentError('It takes the number of a word.');
  }
  return Number(text);
}
