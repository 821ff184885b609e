/** WebRTC is tested in a network of its own: peers look for addresses, and shall find none but those of the test. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The addresses besides loopback in that network: of the server, and of a box before it (see `relay.mjs`). */
export const ADDRESS = "10.99.0.1";
export const OUTSIDE = "10.99.0.2";

const SETUP = `ip link set lo up
ip link add lunette0 type veth peer name lunette1
ip address add ${ADDRESS}/24 dev lunette0
ip address add ${OUTSIDE}/24 dev lunette0
ip link set lunette0 up
ip link set lunette1 up
exec "$@"`;

/** Runs the file of `meta` again in a network namespace that ends with it, and ends; inside, it returns. */
export function alone(meta) {
  if (process.env.LUNETTE_ALONE) return;
  const again = ["-n", "sh", "-ec", SETUP, "sh", process.execPath, ...process.execArgv, fileURLToPath(meta.url), ...process.argv.slice(2)];
  const { status, error } = spawnSync("unshare", again, { stdio: "inherit", env: { ...process.env, LUNETTE_ALONE: "1" } });
  if (error) throw error;
  process.exit(status ?? 1);
}
