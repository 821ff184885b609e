/** A bad line between the server and its viewers, inside the network of `alone.mjs`. */
import { execFileSync } from "node:child_process";

const run = (command) => execFileSync("sh", ["-ec", command], { stdio: ["ignore", "ignore", "pipe"] });

/** No UDP gets to or from a port, until the returned function is called. */
export function blockUdp(port) {
  const rules = ["--dport", "--sport"].map((end) => `INPUT -p udp ${end} ${port} -j DROP`);
  for (const rule of rules) run(`iptables -A ${rule}`);
  return () => rules.forEach((rule) => run(`iptables -D ${rule}`));
}

/** What is sent from a port goes through at so many kbit/s, behind a queue of 200 ms, until the returned function is called. */
export function narrow(port, kbits, { tcp = false } = {}) {
  // Loopback's own packets would be larger than that queue.
  if (tcp) run("ip link set lo mtu 1500 gso_max_segs 1");
  run(`tc qdisc add dev lo root handle 1: htb default 10
tc class add dev lo parent 1: classid 1:10 htb rate 1gbit quantum 60000
tc class add dev lo parent 1: classid 1:20 htb rate ${kbits}kbit ceil ${kbits}kbit quantum 3000
tc qdisc add dev lo parent 1:20 bfifo limit ${(kbits / 8) * 200}
tc filter add dev lo protocol ip parent 1: u32 match ip sport ${port} 0xffff match ip protocol ${tcp ? 6 : 17} 0xff flowid 1:20`);
  return () => run("tc qdisc del dev lo root");
}
