/** Looking at a `<video>`: which pictures it shows, and what it could. */

import type { Range } from "./buffer.ts";

/** How far the decoder got: any change is progress. */
export function decodedFrames(video: HTMLVideoElement): number {
  return video.getVideoPlaybackQuality?.().totalVideoFrames ?? Math.round(video.currentTime * 1000);
}

/** Pictures that were decoded too late to be shown. */
export function droppedFrames(video: HTMLVideoElement): number {
  return video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
}

/**
 * Calls back at each picture shown from now on; where the browser can't tell, once when the first one is
 * there. Answers a function that stops it.
 */
export function onPicture(video: HTMLVideoElement, shown: () => void): () => void {
  const stop = new AbortController();
  video.addEventListener("loadeddata", shown, { signal: stop.signal });
  if (!video.requestVideoFrameCallback) return () => stop.abort();

  let handle = 0;
  const next = (): void => {
    handle = video.requestVideoFrameCallback(() => {
      next();
      shown();
    });
  };
  next();
  return () => {
    stop.abort();
    video.cancelVideoFrameCallback(handle);
  };
}

/** What can be played. */
export function bufferedRanges({ buffered }: HTMLMediaElement): Range[] {
  return Array.from({ length: buffered.length }, (_, i) => ({
    start: buffered.start(i),
    end: buffered.end(i),
  }));
}
