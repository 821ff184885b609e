use super::*;
use crate::testing::{h264, picture};

#[test]
fn packets_are_numbered_along_their_track_and_the_cache_finds_them() {
    let (format, mut packets, mut cache) = (h264(), Packets::default(), Cache::default());
    let mut all = Vec::new();
    for n in 0..400 {
        let slot = packets
            .push(&picture(&format, n, n % 50 == 0, 3000))
            .expect("in order")
            .expect("it is sent");
        assert_eq!(slot.start, n % 50 == 0);
        cache.push(&slot.item);
        all.push(slot.item);
    }
    let last = all.last().expect("units");
    for unit in &all[300..] {
        let number = unit.first + unit.packets.len() as u64 - 1;
        let (found, place) = cache.find(TrackId(0), number).expect("it is remembered");
        assert!(Arc::ptr_eq(&found, unit) && place == unit.packets.len() - 1);
    }
    assert!(cache.find(TrackId(0), all[0].first).is_none(), "too old");
    assert!(
        cache.find(TrackId(0), last.first + 100).is_none(),
        "not sent yet"
    );
    assert!(
        cache.find(TrackId(1), last.first).is_none(),
        "of another track"
    );
}

#[test]
fn a_picture_that_is_shown_before_an_earlier_one_is_told() {
    let (format, mut packets) = (h264(), Packets::default());
    let mut later = picture(&format, 3, false, 10);
    assert!(packets.push(&picture(&format, 0, true, 10)).is_ok());
    assert!(packets.push(&later).is_ok());
    later.pts -= 3600;
    assert_eq!(packets.push(&later).err(), Some(Reordered));
    later.discontinuity = true;
    assert!(packets.push(&later).is_ok(), "a camera that came back");
}
