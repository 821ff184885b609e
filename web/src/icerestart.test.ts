import { expect, test } from "vitest";
import { iceServers, restarted, restartFragment } from "./icerestart.ts";

const ANSWER =
  "v=0\r\nm=audio 9 X 0\r\na=ice-ufrag:old\r\na=ice-pwd:oldpwd\r\na=candidate:1 1 udp 1 10.0.0.1 8555 typ host\r\na=end-of-candidates\r\nm=video 9 X 1\r\na=ice-ufrag:old\r\na=ice-pwd:oldpwd\r\n";

test("a restart is asked for with the offer's name and password", () => {
  const offer =
    "v=0\r\nm=audio 9 X 0\r\na=ice-ufrag:u1\r\na=ice-pwd:p1\r\nm=video 9 X 1\r\na=ice-ufrag:u1\r\na=ice-pwd:p1\r\n";
  expect(restartFragment(offer)).toBe("a=ice-ufrag:u1\r\na=ice-pwd:p1\r\n");
});

test("what the server says of a restart goes into its answer, once", () => {
  const fragment =
    "a=ice-lite\r\na=ice-ufrag:new\r\na=ice-pwd:newpwd\r\nm=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.2 8555 typ host\r\n";
  const sdp = restarted(ANSWER, fragment) ?? "";
  expect(sdp.match(/ufrag:new/g)).toHaveLength(2);
  expect(sdp.match(/pwd:newpwd/g)).toHaveLength(2);
  expect(sdp).not.toContain("old");
  expect(sdp.match(/a=candidate.*/g)).toEqual(["a=candidate:1 1 udp 1 10.0.0.2 8555 typ host"]);
  expect(sdp.split("\r\n")).toHaveLength(ANSWER.split("\r\n").length);
});

test("without new addresses the old ones hold, and a fragment of nothing is none", () => {
  expect(restarted(ANSWER, "a=ice-ufrag:new\r\na=ice-pwd:newpwd\r\n")).toContain("10.0.0.1");
  expect(restarted(ANSWER, "a=mid:0\r\n")).toBeNull();
});

test("t35: servers of ICE are read from links, and other links are passed over", () => {
  const link =
    '<stun:stun.example:3478>; rel="ice-server", </other>; rel="next", ' +
    '<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="a,\\"b\\""; credential="c;d"; credential-type="password", ' +
    '<turn:nobody.example>; rel="ice-server"';
  expect(iceServers(link)).toEqual([
    { urls: "stun:stun.example:3478" },
    { urls: "turn:turn.example:3478?transport=udp", username: 'a,"b"', credential: "c;d" },
  ]);
  expect(iceServers(null)).toEqual([]);
});
