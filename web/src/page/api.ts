/** `GET api/v1/streams`, read with the care that any answer from a network deserves. */

/** One track that a channel has. */
export interface Track {
  kind: string;
  codec: string;
  width: number | null;
  height: number | null;
}

/** One channel of a stream. */
export interface Channel {
  id: string;
  state: string;
  message: string | null;
  viewers: number;
  tracks: Track[];
}

/** One stream. */
export interface Stream {
  id: string;
  name: string;
  channels: Channel[];
}

/** No answer within this, in ms, is an error. */
const TIMEOUT_MS = 5_000;

/** The server wants to know who asks. */
export class Unauthorized extends Error {}

/** Who asks, as the server sees it. */
export interface Me {
  /** For people: "user ann". */
  who: string;
  /** There are users who can log in. */
  login: boolean;
  /** They are logged in, and can log out. */
  session: boolean;
}

/** Who asks; nobody in particular where the server doesn't say. */
export async function fetchMe(): Promise<Me> {
  const answer = await session("GET");
  const json = answer.ok ? await answer.json().catch(() => null) : null;
  return {
    who: text(json, "who") ?? "",
    login: field(json, "login") === true,
    session: field(json, "session") === true,
  };
}

/** Logs in. Throws an `Error` with a text for people. */
export async function login(username: string, password: string): Promise<void> {
  const answer = await session("POST", { username, password });
  if (!answer.ok)
    throw new Error(text(await answer.json().catch(() => null), "detail") ?? "That didn't work");
}

/** Logs out. */
export async function logout(): Promise<void> {
  await session("DELETE");
}

async function session(method: string, body?: unknown): Promise<Response> {
  const init: RequestInit = { method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(new URL("api/v1/session", document.baseURI), init);
  } catch {
    throw new Error("The server can't be reached");
  }
}
/** How many pages of streams are fetched at most; a page has a thousand. */
const MAX_PAGES = 10;

/** The list of streams. Throws an `Error` with a text for people. */
export async function fetchStreams(): Promise<Stream[]> {
  const streams: Stream[] = [];
  for (let page = 0; page < MAX_PAGES; page++) {
    const json = await fetchPage(streams.length);
    const found = parseStreams(json);
    streams.push(...found);
    if (found.length === 0 || streams.length >= (number(json, "total") ?? 0)) break;
  }
  return streams;
}

async function fetchPage(offset: number): Promise<unknown> {
  const url = new URL(`api/v1/streams?offset=${offset}`, document.baseURI);
  let answer: Response;
  try {
    answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Error("The server can't be reached");
  }
  if (answer.status === 401) throw new Unauthorized("Please log in");
  if (!answer.ok) throw new Error(`The server answers with error ${answer.status}`);
  return answer.json().catch((error: unknown) => {
    if (error instanceof SyntaxError) return null;
    throw new Error("The server can't be reached"); // or not to the end of its answer
  });
}

/** Streams from JSON; entries that make no sense are left out. */
export function parseStreams(json: unknown): Stream[] {
  return list(json, "streams").flatMap((stream) => {
    const id = text(stream, "id");
    if (!id) return [];
    return [
      { id, name: text(stream, "name") ?? id, channels: list(stream, "channels").flatMap(parseChannel) },
    ];
  });
}

function parseChannel(json: unknown): Channel[] {
  const id = text(json, "id");
  if (!id) return [];
  return [
    {
      id,
      state: text(json, "state") ?? "idle",
      message: text(json, "message"),
      viewers: number(json, "viewers") ?? 0,
      tracks: list(json, "tracks").map((track) => ({
        kind: text(track, "kind") ?? "",
        codec: text(track, "codec") ?? "",
        width: number(track, "width"),
        height: number(track, "height"),
      })),
    },
  ];
}

function field(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

function list(json: unknown, name: string): unknown[] {
  const value = field(json, name);
  return Array.isArray(value) ? value : [];
}

function text(json: unknown, name: string): string | null {
  const value = field(json, name);
  return typeof value === "string" && value !== "" ? value : null;
}

function number(json: unknown, name: string): number | null {
  const value = field(json, name);
  return typeof value === "number" ? value : null;
}
