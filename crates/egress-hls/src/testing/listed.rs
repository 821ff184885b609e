//! A reader of playlists that checks what the specification says of them.

/// A part as listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedPart {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) independent: bool,
}

impl ListedPart {
    fn read(attributes: &str) -> Self {
        let given = |name| attribute(attributes, name).expect("given");
        Self {
            uri: given("URI").to_owned(),
            duration: given("DURATION").parse().expect("a number"),
            independent: attribute(attributes, "INDEPENDENT") == Some("YES"),
        }
    }
}

/// A segment as listed; without `uri` it is in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ListedSegment {
    pub(crate) number: u64,
    pub(crate) uri: Option<String>,
    pub(crate) duration: f64,
    pub(crate) discontinuity: bool,
    pub(crate) discontinuities: u64,
    pub(crate) map: Option<String>,
    pub(crate) date: String,
    pub(crate) parts: Vec<ListedPart>,
}

impl ListedSegment {
    pub(crate) fn length(&self) -> f64 {
        match self.uri {
            Some(_) => self.duration,
            None => self.parts.iter().map(|part| part.duration).sum(),
        }
    }
}

/// A media playlist as a player reads it.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// What must never change.
    pub(crate) constants: Vec<String>,
    pub(crate) target: f64,
    pub(crate) part_target: f64,
    pub(crate) skip_until: f64,
    /// HOLD-BACK and PART-HOLD-BACK.
    pub(crate) hold_backs: (f64, f64),
    pub(crate) skipped: u64,
    pub(crate) start: Option<f64>,
    pub(crate) segments: Vec<ListedSegment>,
}

/// The value of `name` in a list of attributes.
pub(crate) fn attribute<'t>(list: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = list.split_once(&format!("{name}="))?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(',').next(),
    }
}

impl Listed {
    /// Reads `text`, line by line.
    pub(crate) fn read(text: &str) -> Self {
        let mut listed = Self::default();
        let mut next = ListedSegment::default();
        let (mut number, mut discontinuities, mut map) = (0, 0, None);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let number_of = |name| attribute(value, name).and_then(|v| v.parse().ok());
            match tag {
                "#EXT-X-VERSION" => listed.constants.push(line.to_owned()),
                "#EXT-X-TARGETDURATION" => {
                    listed.constants.push(line.to_owned());
                    listed.target = value.parse().expect("a number");
                }
                "#EXT-X-SERVER-CONTROL" => {
                    listed.constants.push(line.to_owned());
                    listed.control(value);
                }
                "#EXT-X-PART-INF" => {
                    listed.constants.push(line.to_owned());
                    listed.part_target = number_of("PART-TARGET").expect("a number");
                }
                "#EXT-X-MEDIA-SEQUENCE" => number = value.parse().expect("a number"),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    discontinuities = value.parse().expect("a number");
                }
                "#EXT-X-START" => listed.start = number_of("TIME-OFFSET"),
                "#EXT-X-SKIP" => {
                    listed.skipped = attribute(value, "SKIPPED-SEGMENTS")
                        .expect("given")
                        .parse()
                        .expect("a number");
                    number += listed.skipped;
                }
                "#EXT-X-DISCONTINUITY" => {
                    next.discontinuity = true;
                    discontinuities += 1;
                }
                "#EXT-X-MAP" => map = attribute(value, "URI").map(str::to_owned),
                "#EXT-X-PROGRAM-DATE-TIME" => next.date = value.to_owned(),
                "#EXT-X-PART" => next.parts.push(ListedPart::read(value)),
                "#EXTINF" => next.duration = value.trim_end_matches(',').parse().expect("a number"),
                "#EXT-X-PRELOAD-HINT" => assert_eq!(attribute(value, "TYPE"), Some("PART")),
                _ if !line.starts_with('#') => {
                    next.uri = Some(line.to_owned());
                    (next.number, next.discontinuities) = (number, discontinuities);
                    next.map.clone_from(&map);
                    number += 1;
                    listed.segments.push(std::mem::take(&mut next));
                }
                _ => panic!("unknown line {line}"),
            }
        }
        if !next.parts.is_empty() {
            (next.number, next.discontinuities) = (number, discontinuities);
            next.map = map;
            listed.segments.push(next);
        }
        listed
    }

    fn control(&mut self, attributes: &str) {
        let number = |name| attribute(attributes, name).and_then(|value| value.parse().ok());
        let given = |name| number(name).expect("a number");
        self.skip_until = given("CAN-SKIP-UNTIL");
        self.hold_backs = (given(",HOLD-BACK"), given("PART-HOLD-BACK"));
    }

    /// What each single playlist has to keep to.
    pub(crate) fn check(&self) {
        assert!(!self.segments.is_empty(), "an empty playlist");
        self.check_server_control();
        self.check_borders();
        let total: f64 = self.segments.iter().map(ListedSegment::length).sum();
        let mut from_end = total;
        for segment in &self.segments {
            assert!(segment.map.is_some(), "§4.4.4.5: no map for {segment:?}");
            assert!(!segment.date.is_empty(), "B.1: no date for {segment:?}");
            if segment.uri.is_some() {
                assert!(
                    segment.duration.round() <= self.target,
                    "§4.4.3.1: {segment:?}"
                );
                if !segment.parts.is_empty() {
                    let sum: f64 = segment.parts.iter().map(|part| part.duration).sum();
                    assert!((sum - segment.duration).abs() < 1e-4, "{segment:?}");
                }
            }
            if !segment.parts.is_empty() {
                assert!(
                    from_end <= 3.0 * self.target + 1e-6,
                    "§4.4.4.9: parts {from_end} s from the end"
                );
            }
            let whole = segment.uri.is_some();
            for (place, part) in segment.parts.iter().enumerate() {
                assert!(
                    part.duration <= self.part_target + 1e-9,
                    "§4.4.4.9: {part:?}"
                );
                let last = whole && place + 1 == segment.parts.len();
                assert!(
                    last || part.duration >= 0.85 * self.part_target,
                    "§4.4.4.9: {part:?} of {segment:?}"
                );
            }
            from_end -= segment.length();
        }
        if let Some(start) = self.start {
            assert!(
                (0.0..total).contains(&start),
                "§4.4.2.2: {start} is outside of {total} s"
            );
        }
    }

    fn check_server_control(&self) {
        if self.part_target == 0.0 {
            return;
        }
        let (hold_back, in_parts) = self.hold_backs;
        assert!(
            self.skip_until >= 6.0 * self.target,
            "§4.4.3.8: CAN-SKIP-UNTIL"
        );
        assert!(hold_back >= 3.0 * self.target, "§4.4.3.8: HOLD-BACK");
        assert!(
            in_parts >= 3.0 * self.part_target - 1e-9,
            "§4.4.3.8: PART-HOLD-BACK"
        );
    }

    /// What lies between one segment and the next.
    fn check_borders(&self) {
        for pair in self.segments.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            assert_eq!(after.number, before.number + 1);
            if after.discontinuity {
                continue;
            }
            assert_eq!(
                before.map, after.map,
                "§4.4.4.3: another map is a discontinuity"
            );
            let step = of_day(&after.date) - of_day(&before.date);
            assert!(
                (step - before.length()).abs() < 2e-3,
                "§4.4.4.6: dates go on as the media do: {before:?} {after:?}"
            );
        }
    }

    /// What a playlist has to keep to after the `earlier` one of the same stream.
    pub(crate) fn check_after(&self, earlier: &Self) {
        assert_eq!(self.constants, earlier.constants, "§6.2.1");
        for old in &earlier.segments {
            let Some(new) = self.segments.iter().find(|new| new.number == old.number) else {
                assert!(
                    old.number < self.segments[0].number,
                    "{old:?} is gone from the middle"
                );
                continue;
            };
            assert_eq!(
                (&new.map, new.discontinuities, &new.date),
                (&old.map, old.discontinuities, &old.date)
            );
            if old.uri.is_some() {
                assert_eq!((&new.uri, new.duration), (&old.uri, old.duration));
            }
            if !new.parts.is_empty() {
                assert_eq!(new.parts[..old.parts.len()], old.parts[..]);
            }
        }
    }
}

/// The seconds of its day of a date; what tests film is over before midnight.
fn of_day(date: &str) -> f64 {
    let (_, time) = date.split_once('T').expect("a date and a time");
    let fields = time.trim_end_matches('Z').split(':');
    fields.fold(0.0, |sum, field| {
        sum * 60.0 + field.parse::<f64>().expect("a number")
    })
}
