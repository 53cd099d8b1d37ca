// SPDX-License-Identifier: Apache-2.0
/** Asks three verifiers whether a certificate is valid: ours, Go's crypto/x509 and openssl. */

import { isIP } from "node:net";
import { join } from "node:path";
import { encodePem } from "../crypto/pem.ts";
import { readCertificate } from "../crypto/certificates_facts.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";
import { verifyCertificate } from "../crypto/verify_chain.ts";
import { startLineProcess } from "./line_process.ts";
import { goVerifyPeer, peerPath } from "./peers.ts";
import type { VerifyQuestion } from "./verify_cases.ts";

export interface Answer {
  readonly valid: boolean;
  /** Why not. */
  readonly why: string;
}

/** Ours. A certificate that cannot be read is not valid either. */
export function askOurs(question: VerifyQuestion, now = new Date()): Answer & { codes: string[] } {
  const read = (der: Uint8Array<ArrayBuffer>) => readCertificate(der, "a certificate");
  try {
    const { valid, reasons } = verifyCertificate({
      leaf: read(question.leaf),
      intermediates: question.intermediates.map(read),
      anchors: question.anchors.map(read),
      partialChain: false,
      usage: question.usage,
      names: parseAlternativeNames(question.names),
      now,
    });
    const why = reasons.map(({ certificate, message }) => `${certificate}: ${message}`).join("; ");
    return { valid, why, codes: [...new Set(reasons.map(({ code }) => code))] };
  } catch (error) {
    return { valid: false, why: (error as Error).message, codes: ["unreadable"] };
  }
}

export interface GoVerifier {
  ask(question: VerifyQuestion): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startGoVerifier(): Promise<GoVerifier> {
  const child = startLineProcess({ path: await goVerifyPeer(), args: [] });
  let id = 0;
  return {
    async ask({ leaf, intermediates, anchors, usage, names }) {
      const own = ++id;
      const base64 = (list: readonly Uint8Array[]) => list.map((der) => der.toBase64());
      await child.send({
        id: own,
        leaf: leaf.toBase64(),
        intermediates: base64(intermediates),
        anchors: base64(anchors),
        usage,
        names,
        now: new Date().toISOString(),
      });
      const { valid, error } = await child.line((line) => line.id === own);
      return { valid: valid === true, why: String(error) };
    },
    async stop() {
      await child.stop();
    },
  };
}

/** Asks `openssl verify -x509_strict`, once for each name, with files in `dir`. */
export async function askOpenssl(dir: string, question: VerifyQuestion): Promise<Answer> {
  const { leaf, intermediates, anchors, usage, names } = question;
  const write = async (name: string, ders: readonly Uint8Array[]) => {
    await Deno.writeTextFile(join(dir, name), ders.map((der) => encodePem("CERTIFICATE", der)).join(""));
    return join(dir, name);
  };
  const args = ["verify", "-x509_strict", "-purpose", usage === "server" ? "sslserver" : "sslclient"];
  args.push("-no-CApath", "-no-CAstore", "-CAfile", await write("anchors.pem", anchors));
  if (intermediates.length > 0) args.push("-untrusted", await write("intermediates.pem", intermediates));
  const file = await write("leaf.pem", [leaf]);
  for (const name of names.length > 0 ? names : [undefined]) {
    const asked = name === undefined ? [] : [isIP(name) > 0 ? "-verify_ip" : "-verify_hostname", name];
    const { success, stderr } = await new Deno.Command(peerPath("openssl"), { args: [...args, ...asked, file] })
      .output();
    if (!success) return { valid: false, why: new TextDecoder().decode(stderr).trim() };
  }
  return { valid: true, why: "" };
}
