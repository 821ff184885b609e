/** Which codecs this browser's MediaSource takes. */

/**
 * One string for each codec and profile that a camera may send. The server matches by the part before the
 * first dot, so one profile that the browser takes offers the whole codec; the profiles are here so that a
 * browser that refuses the highest level still offers what it has. MP3 (`mp4a.6b`) is left out: a browser
 * without AAC takes it, and would be sent AAC for it.
 */
const CANDIDATES: ReadonlyArray<readonly [container: string, codec: string]> = [
  ["video/mp4", "avc1.640033"], // H.264 High 5.1
  ["video/mp4", "avc1.640029"], // High 4.1
  ["video/mp4", "avc1.4d0029"], // Main 4.1
  ["video/mp4", "avc1.42e01e"], // Constrained Baseline 3.0
  ["video/mp4", "hvc1.1.6.L153.B0"], // H.265 Main 5.1
  ["video/mp4", "hvc1.1.6.L93.B0"], // Main 3.1
  ["video/mp4", "hvc1.2.4.L153.B0"], // Main 10 5.1
  ["video/mp4", "av01.0.12M.08"], // AV1 Main 5.0
  ["video/mp4", "av01.0.04M.08"], // Main 3.0
  ["audio/mp4", "mp4a.40.2"], // AAC-LC
  ["audio/mp4", "opus"],
  ["audio/mp4", "flac"],
];

/** The parts of `MediaSource` that codec probing needs. */
export interface TypeProbe {
  isTypeSupported(mime: string): boolean;
}

/** The codec strings to offer in a `hello`, the best profile of each codec first. */
export function playableCodecs(source: TypeProbe): string[] {
  return CANDIDATES.filter(([container, codec]) =>
    source.isTypeSupported(`${container}; codecs="${codec}"`),
  ).map(([, codec]) => codec);
}

/** Whether an RFC 6381 codec string names sound. */
export function isAudio(codec: string): boolean {
  return /^(mp4a|opus|flac|ac-3|ec-3)/i.test(codec);
}

const NAMES: Readonly<Record<string, string>> = {
  avc1: "H.264",
  avc3: "H.264",
  hvc1: "H.265",
  hev1: "H.265",
  av01: "AV1",
  mp4a: "AAC",
  opus: "Opus",
  flac: "FLAC",
};

/** The name for people of an RFC 6381 codec string. */
export function codecName(codec: string): string {
  return NAMES[codec.split(".", 1)[0]?.toLowerCase() ?? ""] ?? codec;
}
