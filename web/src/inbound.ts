/** What a browser counts of the media that it receives over WebRTC, made into what is shown and watched. Pure. */

/** The counters that are read; browsers leave some out. */
interface Counters {
  type: string;
  kind?: string;
  bytesReceived?: number;
  packetsLost?: number;
  packetsReceived?: number;
  framesReceived?: number;
  framesPerSecond?: number;
  frameWidth?: number;
  frameHeight?: number;
  freezeCount?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  totalProcessingDelay?: number;
  framesDecoded?: number;
  currentRoundTripTime?: number;
  nominated?: boolean;
  selectedCandidatePairId?: string;
  remoteCandidateId?: string;
  protocol?: string;
  codecId?: string;
  mimeType?: string;
  id: string;
}

/** One attempt's counters. */
export class Inbound {
  /**
   * From the server's send to the screen, in ms, as far as it can be told: half a round trip, the buffer, and where the
   * browser tells it, decoding.
   */
  latencyMs: number | null = null;
  /** In bit/s. */
  bitrate = 0;
  codec: string | null = null;
  resolution: string | null = null;
  freezes = 0;
  /** "udp" or "tcp". */
  via: string | null = null;
  /** The share of packets that were lost since the start, and did not come again. */
  lost = 0;
  flow = { samples: 0, sampleIntervalMs: 0, hasVideo: true };
  #bytes = 0;
  #at: number | null = null;
  #delay = 0;
  #counted = 0;

  /** Reads the counters at `now`; answers whether media came since the last time. */
  read(report: Iterable<[string, unknown]>, now: number): boolean {
    const all = [...report].map(([, one]) => one as Counters);
    const of = (kind: string) => all.find((one) => one.type === "inbound-rtp" && one.kind === kind);
    const [video, audio] = [of("video"), of("audio")];
    const main = video?.bytesReceived ? video : (audio ?? video);
    const bytes = (video?.bytesReceived ?? 0) + (audio?.bytesReceived ?? 0);
    // After a restart the old pair stays nominated.
    const selected = all.find((one) => one.type === "transport")?.selectedCandidatePairId;
    const nominated = all.find((one) => one.type === "candidate-pair" && one.nominated);
    const pair = all.find((one) => one.id === selected) ?? nominated;
    this.via = all.find((one) => one.id === pair?.remoteCandidateId)?.protocol ?? this.via;
    const came = bytes > this.#bytes;
    if (this.#at !== null && now > this.#at) this.bitrate = ((bytes - this.#bytes) * 8000) / (now - this.#at);
    [this.#bytes, this.#at] = [bytes, now];
    if (!main) return came;
    this.#measureDelay(main, pair?.currentRoundTripTime ?? 0);
    const hasVideo = main === video;
    const samples = hasVideo ? (main.framesReceived ?? 0) : (main.packetsReceived ?? 0);
    const rate = hasVideo ? (main.framesPerSecond ?? 0) : 25;
    this.flow = { samples, sampleIntervalMs: rate > 0 ? 1000 / rate : this.flow.sampleIntervalMs, hasVideo };
    this.freezes = main.freezeCount ?? 0;
    const packets = (main.packetsReceived ?? 0) + (main.packetsLost ?? 0);
    this.lost = packets > 0 ? Math.max(0, main.packetsLost ?? 0) / packets : 0;
    if (main.frameWidth && main.frameHeight) this.resolution = `${main.frameWidth}x${main.frameHeight}`;
    const codec = all.find((one) => one.id === main.codecId)?.mimeType?.split("/")[1];
    this.codec = codec?.replace(/^H26/, "H.26") ?? this.codec;
    return came;
  }

  #measureDelay(main: Counters, roundTrip: number): void {
    const { totalProcessingDelay, framesDecoded, jitterBufferDelay = 0, jitterBufferEmittedCount = 0 } = main;
    const decoded = totalProcessingDelay !== undefined && framesDecoded !== undefined;
    const delay = decoded ? totalProcessingDelay : jitterBufferDelay;
    const counted = decoded ? framesDecoded : jitterBufferEmittedCount;
    const count = counted - this.#counted;
    if (count > 0) {
      const each = (delay - this.#delay) / count;
      this.latencyMs = Math.max(0, Math.round((each + roundTrip / 2) * 1000));
    }
    [this.#delay, this.#counted] = [delay, counted];
  }
}
