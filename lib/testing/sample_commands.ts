// SPDX-License-Identifier: Apache-2.0
/** Two commands with every kind of flag, for the tests of what is made of a table. */

import { type Command, defineCommand } from "../cli/command.ts";
import {
  boolFlag,
  choiceFlag,
  durationFlag,
  intFlag,
  listFlag,
  portFlag,
  refusedFlag,
  stringFlag,
} from "../cli/flags.ts";

/** What a sample's run() was given; the value of `run` in a test. */
export type SampleRun = (context: { values: unknown; choice: unknown; args: readonly string[] }) => Promise<number>;

/** A Go-style command with a selector, as `peerctl caa` is. */
export function sampleServer(run: SampleRun = () => Promise.resolve(0)): Command {
  return defineCommand({
    name: "serve",
    aliases: ["old-server"],
    summary: "serve a sample",
    description:
      "Serves a sample to whoever asks.\n\nIt has every kind of flag, and one description that is long enough to be broken.",
    flags: {
      socket: stringFlag("socket", {
        env: "SOCKET_PATH",
        default: "/run/s.sock",
        placeholder: "SOCKET",
        help: "where to listen",
      }),
      port: portFlag("port", { env: "PORT", default: 8000, help: "port to listen on" }),
      isSafe: boolFlag("safe", { env: "SAFE", help: "be careful" }),
      waitMs: durationFlag("wait", { env: "WAIT", default: "5m", help: "how long to wait" }),
      tags: listFlag("tags", { env: "TAGS", commaSeparated: true, help: "tags, separated by commas" }),
      token: stringFlag("token", { env: "TOKEN", secret: true, help: "what to show at the door" }),
      level: choiceFlag("level", { choices: ["low", "high"], default: "low", help: "how much" }),
      tunnel: refusedFlag("tunnel", { env: "TUNNEL", allow: ["false"], reason: "this version has no tunnel" }),
    },
    selector: {
      name: "provider",
      choices: {
        local: {
          summary: "on this machine",
          flags: { depth: intFlag("depth", { default: 1, min: 1, max: 9, help: "how deep" }) },
        },
        remote: { summary: "elsewhere", flags: { zone: stringFlag("zone", { required: true, help: "where" }) } },
      },
    },
    subcommands: [sampleSubcommand(run)],
    goStyle: true,
    examples: [{ text: "On this machine", command: "serve local -depth 2" }],
    run,
  });
}

/** A command under that one, as `peerctl caa forget` is. */
function sampleSubcommand(run: SampleRun): Command {
  return defineCommand({
    name: "serve drop",
    summary: "drop what is served",
    description: "Drops what is served.",
    flags: { all: boolFlag("all", { help: "drop everything" }) },
    positional: { name: "SAMPLE", help: "what to drop", min: 1, max: 1 },
    goStyle: false,
    examples: [{ text: "The first one", command: "serve drop 1" }],
    run,
  });
}

/** A command whose flags stand anywhere, as `peerctl certgen` is. */
export function sampleTool(run: SampleRun = () => Promise.resolve(0)): Command {
  return defineCommand({
    name: "make",
    summary: "make a sample",
    description: "Makes a sample.",
    flags: {
      outDir: stringFlag("out-dir", { default: ".", placeholder: "DIR", help: "where to put it" }),
      names: listFlag("name", { required: true, placeholder: "NAME", help: "name on the sample" }),
      force: boolFlag("force", { help: "overwrite" }),
      keyFile: stringFlag("key-file", { placeholder: "FILE", help: "key to use" }),
    },
    positional: { name: "COLOUR", help: "red or blue", min: 0, max: 1, choices: ["red", "blue"] },
    goStyle: false,
    examples: [{ text: "A red one", command: "make --name x red" }],
    run,
  });
}
