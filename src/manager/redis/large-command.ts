/**
 * A command of many arguments, encoded for the socket in one go. ioredis writes a command as one text, which the socket then encodes as UTF-8,
 * slowly: text that is ASCII throughout (the usual batch) is copied as it is instead. Changes nothing else of how a command is sent.
 */
import { Command } from 'ioredis';

export class LargeCommand extends Command {
  constructor(name: string, args: readonly string[], keyPrefix: string | undefined) {
    // ioredis copies the arguments and walks through them twice to make text of what is none: only a prefix needs it.
    super(name, keyPrefix === undefined ? [] : (args as string[]), {
      replyEncoding: 'utf8',
      ...(keyPrefix === undefined ? {} : { keyPrefix }),
    });
    if (keyPrefix === undefined) {
      this.args = args as string[];
    }
  }

  /** The command as RESP: an array of bulk strings, each with its length in bytes. Source: redis.io, "Redis serialization protocol". */
  override toWritable(): Buffer {
    const { name, args } = this;
    let text = `*${args.length + 1}\r\n$${Buffer.byteLength(name)}\r\n${name}\r\n`;
    let ascii = true;
    for (const arg of args as readonly string[]) {
      const bytes = Buffer.byteLength(arg);
      ascii &&= bytes === arg.length;
      text += `$${bytes}\r\n${arg}\r\n`;
    }
    return Buffer.from(text, ascii ? 'latin1' : 'utf8');
  }
}
