/** Certificates made for a test: an authority of its own, and what it signs. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";

import { run, WORK } from "./processes.mjs";

const openssl = (...args) => run("openssl", args);
const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A certificate authority in a folder of its own. */
export class Authority {
  static async make(name) {
    mkdirSync(WORK, { recursive: true });
    const authority = new Authority();
    authority.folder = mkdtempSync(join(WORK, "ca-"));
    /** Its certificate, PEM. */
    authority.file = join(authority.folder, "ca.pem");
    authority.key = join(authority.folder, "ca.key");
    await openssl("req", "-x509", ...P256, "-days", "2", "-subj", `/CN=${name}`, "-keyout", authority.key, "-out", authority.file);
    return authority;
  }

  /** Signs a certificate that is made out to `name`: `IP:127.0.0.1`, `DNS:camera.lan`. Returns its files. */
  async sign(name) {
    const [certificate, key] = ["pem", "key"].map((end) => join(this.folder, `${name.replaceAll(/\W/g, "_")}.${end}`));
    await openssl("req", "-x509", ...P256, "-CA", this.file, "-CAkey", this.key, "-days", "2",
      "-subj", "/CN=camera", "-addext", `subjectAltName=${name}`, "-addext", "basicConstraints=critical,CA:FALSE",
      "-keyout", key, "-out", certificate);
    return { certificate, key };
  }
}
