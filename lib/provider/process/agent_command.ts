// SPDX-License-Identifier: Apache-2.0
/** Reads the agent command that a user gives and fills in what differs from one pod VM to the next. */

/**
 * Words an agent command may hold, anywhere in an argument: `{socket}` is the unix socket on which the agent must
 * listen, `{dir}` the folder of its pod VM, in which the agent finds what user data brought (apf.json, initdata, …).
 * The agent must keep PEERCTL_VM in its environment: it is found again by that.
 */
const PLACEHOLDER = /\{(socket|dir)\}/g;

/**
 * Reads an agent command; empty for an empty text.
 *
 * @throws {RangeError} whose message goes on from "Cannot use -agent-command: ".
 */
export function parseAgentCommand(text: string): string[] {
  const words = splitWords(text);
  if (words.length > 0 && !words.some((one) => one.search(PLACEHOLDER) !== -1)) {
    throw new RangeError("it must hold {socket}, where the agent shall listen, or {dir}, the pod VM's folder");
  }
  return words;
}

/**
 * Splits a command line as a shell would, without expanding anything: blanks separate, single quotes hold everything,
 * double quotes all but `\"` and `\\`, a backslash holds the next character.
 *
 * @throws {RangeError} when a quote is not closed.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    const next = text.charAt(i + 1);
    if (c === "\\" && next !== "" && (quote === "" || (quote === '"' && (next === '"' || next === "\\")))) {
      word = (word ?? "") + next;
      i++;
    } else if (quote !== "") {
      if (c === quote) quote = "";
      else word += c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= "";
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + c;
    }
  }
  if (quote !== "") throw new RangeError("a quote is not closed");
  if (word !== undefined) words.push(word);
  return words;
}

/** Puts one pod VM's values in place of the placeholders. */
export function fillAgentCommand(command: readonly string[], values: { socket: string; dir: string }): string[] {
  return command.map((word) => word.replace(PLACEHOLDER, (_, name: "socket" | "dir") => values[name]));
}
