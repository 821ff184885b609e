use super::*;

const AVC: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1f, 0xff, 0xe1, 0, 25, 0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00,
    0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1,
    0x83, 0x19, 0x20, 1, 0, 5, 0x68, 0xcb, 0x83, 0xcb, 0x20,
];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 1];
const LATER: &[u8] = &[0x27, 1, 0, 0, 80, 0, 0, 0, 2, 0x41, 1];
const AAC: &[u8] = &[0xaf, 0, 0x11, 0x90];
const SOUND: &[u8] = &[0xaf, 1, 7];

struct Bench {
    intake: Intake,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            intake: Intake::default(),
            now: Instant::now(),
        }
    }

    fn says(&mut self, names: &[&str]) {
        let members = names
            .iter()
            .map(|name| ((*name).to_owned(), Value::Number(1.0)));
        self.intake.metadata(&Value::Object(members.collect()));
    }

    /// Tracks are told by `t` and their number, frames by the number of their track, decode and presentation time.
    fn video(&mut self, time: u32, body: &'static [u8]) -> Vec<String> {
        let mut out = Vec::new();
        self.intake
            .video(time, Bytes::from_static(body), self.now, &mut out);
        told(out)
    }

    fn audio(&mut self, time: u32, body: &'static [u8]) -> Vec<String> {
        let mut out = Vec::new();
        self.intake
            .audio(time, &Bytes::from_static(body), self.now, &mut out);
        told(out)
    }
}

fn told(out: Vec<Out>) -> Vec<String> {
    let one = |out| match out {
        Out::Tracks(tracks) => format!("t{}", tracks.len()),
        Out::Frame(frame) => {
            let key = if frame.keyframe { "!" } else { "" };
            format!("{}:{}:{}{key}", frame.track.0, frame.dts, frame.pts)
        }
    };
    out.into_iter().map(one).collect()
}

#[test]
fn frames_wait_until_all_tracks_that_were_spoken_of_are_known() {
    let mut bench = Bench::new();
    bench.says(&["videocodecid", "audiocodecid"]);
    assert!(bench.video(1000, AVC).is_empty());
    assert!(bench.video(1000, KEY).is_empty());
    assert_eq!(bench.audio(1000, AAC), ["t2", "0:90000:90000!"]);
    assert_eq!(bench.audio(1000, SOUND), ["1:48000:48000!"]);
    assert_eq!(bench.video(1040, LATER), ["0:93600:100800"]);
}

#[test]
fn a_track_that_never_comes_is_waited_for_a_second() {
    let mut bench = Bench::new();
    assert!(bench.video(0, AVC).is_empty());
    assert!(bench.video(0, KEY).is_empty());
    bench.now += PATIENCE;
    assert_eq!(bench.video(40, LATER), ["t1", "0:0:0!", "0:3600:10800"]);
    assert_eq!(bench.audio(40, AAC), ["t2"], "it may still come");
    assert_eq!(bench.audio(40, SOUND), ["1:1920:1920!"]);
    let mut silent = Bench::new();
    silent.says(&["videocodecid"]);
    assert_eq!(silent.video(0, AVC), ["t1"]);
}

#[test]
fn sound_follows_itself_where_times_are_rounded_and_jumps_where_they_do() {
    let mut bench = Bench::new();
    bench.says(&["audiocodecid"]);
    bench.audio(0, AAC);
    let mut at = |time| bench.audio(time, SOUND).remove(0);
    // 1024 samples are 21.33 ms.
    assert_eq!(
        [at(0), at(21), at(43), at(64)],
        ["0:0:0!", "0:1024:1024!", "0:2048:2048!", "0:3072:3072!"]
    );
    assert_eq!(at(1000), "0:48000:48000!");
}

#[test]
fn times_go_on_where_32_bits_end() {
    let mut bench = Bench::new();
    bench.says(&["videocodecid"]);
    bench.video(u32::MAX - 19, AVC);
    let before = bench.video(u32::MAX - 19, KEY);
    let after = bench.video(20, KEY);
    assert_eq!(
        (before[0].as_str(), after[0].as_str()),
        (
            "0:386547054840:386547054840!".to_owned().as_str(),
            "0:386547058440:386547058440!".to_owned().as_str()
        )
    );
}

#[test]
fn a_codec_that_is_not_known_is_a_track_that_can_not_be_played() {
    let mut bench = Bench::new();
    bench.says(&["videocodecid", "audiocodecid"]);
    bench.audio(0, &[0x2f, 1]);
    assert_eq!(bench.intake.misfit(), None);
    bench.video(0, AVC);
    assert_eq!(
        bench.intake.announced[1].unsupported.as_deref(),
        Some("the codec MP3 is not supported")
    );
    let mut nothing = Bench::new();
    nothing.says(&["audiocodecid"]);
    nothing.audio(0, &[0x2f, 1]);
    assert_eq!(
        nothing.intake.misfit(),
        Some("the codec MP3 is not supported")
    );
}
