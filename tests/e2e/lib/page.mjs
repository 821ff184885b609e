/**
 * What runs inside a page: makes a player, logs every presented picture with the clock read from its pixels,
 * listens to its sound. Sent to the browser as text, so it uses nothing from outside.
 */
export function inPage() {
  const VALUE_BITS = 32;
  const BITS = 40;
  const BLOCK = 24;
  /** The width that the row of blocks is drawn for; it scales with the picture. */
  const DRAWN_WIDTH = 1280;

  const canvas = Object.assign(document.createElement("canvas"), { width: BITS * BLOCK, height: BLOCK });
  const context = canvas.getContext("2d", { willReadFrequently: true });

  /** The value in the row of blocks of a video's picture, or null where its sum is wrong. */
  function stamp(video) {
    const scale = video.videoWidth / DRAWN_WIDTH;
    context.drawImage(video, 0, 0, canvas.width * scale, BLOCK * scale, 0, 0, canvas.width, BLOCK);
    const row = context.getImageData(0, BLOCK / 2, canvas.width, 1).data;
    const number = (from, to) => {
      let value = 0;
      for (let i = from; i < to; i++) value = value * 2 + (row[(i * BLOCK + BLOCK / 2) * 4 + 1] > 128 ? 1 : 0);
      return value;
    };
    const value = number(0, VALUE_BITS);
    const sum = [0, 8, 16, 24].reduce((total, shift) => total + ((value >>> shift) & 255), 90) & 255;
    return sum === number(VALUE_BITS, BITS) ? value : null;
  }

  /** The wall clock as a stamp: the low 32 bits of its milliseconds. */
  const clock = () => Date.now() % 2 ** VALUE_BITS;

  class Watched {
    /** Presented pictures: `{ at, stamp, time }`: wall clock ms, value of the pixels, media time in s. */
    pictures = [];
    states = [];

    constructor(element) {
      this.element = element;
      this.began = Date.now();
      this.element.addEventListener("lunette-state", (event) => {
        this.states.push({ at: Date.now(), ...event.detail });
      });
      this.follow();
    }

    /** A new player of `src` at the end of the page. */
    static add(src, attributes) {
      const element = document.createElement("lunette-player");
      const watched = new Watched(element);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      element.setAttribute("src", src);
      // Six fit on a page: a player that nobody sees stops.
      element.style.cssText = "display:inline-block;width:30vw;height:40vh";
      document.body.append(element);
      return watched;
    }

    /** The video of now: a player may replace it. */
    get video() {
      return this.element.shadowRoot?.querySelector("video") ?? null;
    }

    follow() {
      const video = this.video;
      if (!video) return setTimeout(() => this.follow(), 20);
      const presented = (_, { mediaTime }) => {
        this.pictures.push({ at: Date.now(), stamp: stamp(video), time: mediaTime, width: video.videoWidth });
        if (video === this.video) video.requestVideoFrameCallback(presented);
        else this.follow();
      };
      return video.requestVideoFrameCallback(presented);
    }

    /** What the test reads: state, counters, and the pictures since index `from`. */
    report(from = 0) {
      const video = this.video;
      const quality = video?.getVideoPlaybackQuality?.();
      return {
        state: this.element.state,
        states: this.states,
        stats: this.element.stats?.(),
        began: this.began,
        now: Date.now(),
        pictures: this.pictures.slice(from),
        decoded: quality?.totalVideoFrames ?? 0,
        dropped: quality?.droppedVideoFrames ?? 0,
        currentTime: video?.currentTime ?? 0,
        size: video ? `${video.videoWidth}x${video.videoHeight}` : "",
        text: this.element.shadowRoot?.textContent?.replace(/\s+/g, " ").trim() ?? "",
        navigation: performance.timeOrigin,
      };
    }

    /**
     * Records the sound for `ms` and decodes the record. Needs no sound card, as an AudioContext would.
     * @returns the seconds heard, the loudest sample (0 to 1), and the share of the energy that is at `hz`.
     */
    async listen(ms, hz) {
      const video = this.video;
      video.muted = false;
      video.volume = 1;
      const captured = video.captureStream?.() ?? video.mozCaptureStream();
      const recorder = new MediaRecorder(new MediaStream(captured.getAudioTracks()));
      const parts = [];
      const stopped = new Promise((resolve) => (recorder.onstop = resolve));
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.start();
      await new Promise((resolve) => setTimeout(resolve, ms));
      recorder.stop();
      await stopped;
      for (const track of captured.getTracks()) track.stop();
      const offline = new OfflineAudioContext(1, RATE, RATE);
      const sound = await offline.decodeAudioData(await new Blob(parts).arrayBuffer());
      const samples = sound.getChannelData(0);
      const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      return { seconds: sound.duration, peak, share: toneShare(samples, hz) };
    }
  }

  const RATE = 48000;

  /** The share of the energy at `hz`, by Goertzel's filter over tenths of a second. */
  function toneShare(samples, hz) {
    const block = RATE / 10;
    const turn = 2 * Math.cos((2 * Math.PI * hz) / RATE);
    let [tone, all] = [0, 0];
    for (let at = 0; at + block <= samples.length; at += block) {
      let [one, two] = [0, 0];
      for (let i = at; i < at + block; i++) {
        [one, two] = [samples[i] + turn * one - two, one];
        all += samples[i] ** 2;
      }
      tone += ((one ** 2 + two ** 2 - turn * one * two) * 2) / block;
    }
    return all > 0 ? tone / all : 0;
  }

  window.lunetteTest = { Watched, stamp, clock, watched: {} };
}
