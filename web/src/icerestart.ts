/** ICE's part of WHEP as text (docs/webrtc.md): the fragment of a restart, and servers in `Link` headers. Pure. */

/** The fragment that asks for a restart: the first name and password of `offer`. */
export function restartFragment(offer: string): string {
  const lines = offer.split(/\r?\n/);
  const first = (key: string) => lines.find((line) => line.startsWith(`a=${key}:`));
  return [first("ice-ufrag"), first("ice-pwd"), ""].filter((line) => line !== undefined).join("\r\n");
}

/** The answer `sdp` with the name, the password and the addresses that `fragment` tells; `null` if it tells none. */
export function restarted(sdp: string, fragment: string): string | null {
  const fresh = (key: string) => new RegExp(`^a=${key}:(\\S+)`, "m").exec(fragment)?.[1];
  const [ufrag, password] = [fresh("ice-ufrag"), fresh("ice-pwd")];
  if (!ufrag || !password) return null;
  const renamed = sdp
    .replace(/^a=ice-ufrag:\S+/gm, `a=ice-ufrag:${ufrag}`)
    .replace(/^a=ice-pwd:\S+/gm, `a=ice-pwd:${password}`);
  const told = fragment.split(/\r?\n/).filter((line) => line.startsWith("a=candidate:"));
  const lines = renamed.split("\r\n");
  const at = lines.findIndex((line) => line.startsWith("a=candidate:"));
  if (told.length === 0 || at < 0) return renamed;
  const others = (line: string) => !line.startsWith("a=candidate:");
  return [...lines.slice(0, at), ...told, ...lines.slice(at).filter(others)].join("\r\n");
}

/** The servers of a `Link` header (RFC 8288, draft-ietf-wish-whep). */
export function iceServers(link: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const [, urls, rest] of (link ?? "").matchAll(
    /<([^>]*)>((?:\s*;\s*[\w-]+(?:="(?:\\.|[^"\\])*"|=[^,;\s]*)?)*)/g,
  )) {
    const parameter = (name: string) => {
      const found = new RegExp(`;\\s*${name}=(?:"((?:\\\\.|[^"\\\\])*)"|([^,;\\s]*))`).exec(rest ?? "");
      return (found?.[1] ?? found?.[2])?.replace(/\\(.)/g, "$1");
    };
    if (!urls || parameter("rel") !== "ice-server") continue;
    const [username, credential] = [parameter("username"), parameter("credential")];
    // A relay without them makes browsers refuse the whole list.
    if (/^turns?:/.test(urls) && !(username && credential)) continue;
    servers.push(username && credential ? { urls, username, credential } : { urls });
  }
  return servers;
}
