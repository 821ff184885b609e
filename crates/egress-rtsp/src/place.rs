//! What a URL means: `rtsp://host/{stream}/{channel}/trackID={n}?token={token}`. Pure.

use media::TrackId;
use percent_encoding::percent_decode_str;
use rtsp::control;

/// What the control attribute of a track begins with; its number follows.
const TRACK: &str = "trackID=";
/// The name of a token in the query.
const TOKEN: &str = "token";

/// A Channel as a URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The Stream's id.
    pub(crate) stream: String,
    /// The Channel's; none means the first.
    pub(crate) channel: Option<String>,
}

/// A URL in its parts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Located {
    /// None where the path is of no stream.
    pub(crate) place: Option<Place>,
    pub(crate) track: Option<TrackId>,
    pub(crate) token: Option<String>,
    /// What the URLs of tracks stand below: no credentials, no query, and a slash at its end.
    pub(crate) base: String,
}

impl Located {
    /// Takes a URL apart. Players put what stands for a track behind the query as well as before it.
    pub(crate) fn of(url: &str) -> Self {
        let (url, behind) = split_track(url);
        let (before_query, query) = match url.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (url, None),
        };
        let (before, inside) = split_track(before_query);
        let token = query.and_then(token);
        let mut base = control::base(before, &[Some(before)]);
        if !base.ends_with('/') {
            base.push('/');
        }
        Self {
            place: place(before),
            track: behind.or(inside),
            token,
            base,
        }
    }
}

/// The control attribute of a track.
pub(crate) fn track_control(track: TrackId) -> String {
    format!("{TRACK}{}", track.0)
}

fn split_track(url: &str) -> (&str, Option<TrackId>) {
    let trimmed = url.trim_end_matches('/');
    let split = trimmed.rsplit_once('/').and_then(|(before, last)| {
        let number = last.strip_prefix(TRACK)?.parse().ok()?;
        Some((before, TrackId(number)))
    });
    split.map_or((url, None), |(before, track)| (before, Some(track)))
}

fn place(url: &str) -> Option<Place> {
    let (path, _) = control::path_and_query(url);
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let mut next = || parts.next().map(decoded);
    let (stream, channel) = (next()??, next());
    if next().is_some() {
        return None;
    }
    let channel = match channel {
        Some(channel) => Some(channel?),
        None => None,
    };
    Some(Place { stream, channel })
}

fn token(query: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == TOKEN)?;
    decoded(token).filter(|token| !token.is_empty())
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

impl std::fmt::Debug for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Located")
            .field("place", &self.place)
            .field("track", &self.track)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn a_url_names_a_channel_a_track_and_who_asks() {
        for (url, stream, channel, track, token, base) in [
            (
                "rtsp://h:5541/front/0",
                "front",
                Some("0"),
                None,
                None,
                "rtsp://h:5541/front/0/",
            ),
            (
                "rtsp://h/front",
                "front",
                None,
                None,
                None,
                "rtsp://h/front/",
            ),
            (
                "rtsp://h/front/?token=a%2Fb",
                "front",
                None,
                None,
                Some("a/b"),
                "rtsp://h/front/",
            ),
            (
                "rtsp://u:p@h/front/0/trackID=1",
                "front",
                Some("0"),
                Some(1),
                None,
                "rtsp://h/front/0/",
            ),
            (
                "rtsp://h/front?x=1&token=t/trackID=2",
                "front",
                None,
                Some(2),
                Some("t"),
                "rtsp://h/front/",
            ),
            (
                "rtsp://h/front/0/trackID=3?token=t",
                "front",
                Some("0"),
                Some(3),
                Some("t"),
                "rtsp://h/front/0/",
            ),
            (
                "rtsp://h/my%20cam//1/",
                "my cam",
                Some("1"),
                None,
                None,
                "rtsp://h/my%20cam//1/",
            ),
            ("/front", "front", None, None, None, "/front/"),
        ] {
            let located = Located::of(url);
            let place = Some(Place {
                stream: stream.to_owned(),
                channel: channel.map(str::to_owned),
            });
            assert_eq!(located.place, place, "{url}");
            assert_eq!(located.track, track.map(TrackId), "{url}");
            assert_eq!(located.token.as_deref(), token, "{url}");
            assert_eq!(located.base, base, "{url}");
            assert!(!format!("{located:?}").contains("tok"));
        }
    }

    #[test]
    fn what_names_no_stream_is_no_place() {
        for url in [
            "*",
            "rtsp://h",
            "rtsp://h/",
            "rtsp://h/a/b/c",
            "rtsp://h/%ff",
        ] {
            let place = Located::of(url).place;
            assert!(place.is_none() || url == "*", "{url}: {place:?}");
        }
        assert_eq!(Located::of("rtsp://h/a?token=").token, None);
        assert_eq!(Located::of("rtsp://h/a/trackID=x").track, None);
    }
}
