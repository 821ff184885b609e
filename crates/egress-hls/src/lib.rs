//! LL-HLS and HLS; `docs/hls.md` says what is served, `docs/decisions/0006-hls-time.md` why so.
//!
//! Read in this order: [`router`] (the URLs), `lanes`, `layout` and `pace` (frames to samples: which tracks, at which
//! times), `packager`, `cut`, `timing` and `mux` (samples to parts and segments), `window` (what is listed and what is still there),
//! `calendar` (dates), `playlist` (the text), all of them pure; `snapshot` (what is published after each part and
//! shared by all who ask), `ask` (what a player may ask for), `stage` (one task a Channel, begun by who asks first),
//! `wishes`, `waiting` and `answer` (who waits, for what, and what goes back).
//!
//! There is no state of a viewer: no task, no session, no cookie. This crate never knows another egress or an
//! ingest.

mod answer;
mod ask;
mod calendar;
mod cut;
mod lanes;
mod layout;
mod mux;
mod pace;
mod packager;
mod playlist;
mod routes;
mod settings;
mod snapshot;
mod stage;
#[cfg(test)]
mod testing;
mod timing;
mod waiting;
mod window;
mod wishes;

pub use routes::router;
pub use settings::Settings;
