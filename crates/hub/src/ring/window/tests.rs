use proptest::prelude::*;

use super::*;

const FRAME: i64 = 40_000_000;

fn bounds(keep_ms: u64, bytes: usize) -> RingBounds {
    RingBounds {
        keep: Duration::from_millis(keep_ms),
        bytes,
    }
}

/// A window of 25 fps frames of 1,000 bytes in GOPs of `gop`, whose items are their own numbers.
fn filled(bounds: RingBounds, frames: u64, gop: u64) -> Window<u64> {
    let mut window = Window::new(bounds);
    for n in 0..frames {
        push(&mut window, n, n % gop == 0);
    }
    window
}

fn push(window: &mut Window<u64>, n: u64, start: bool) {
    window.push(Slot {
        item: n,
        start,
        at: n as i64 * FRAME,
        bytes: 1000,
    });
}

#[test]
fn a_new_reader_starts_at_the_newest_keyframe_with_everything_since() {
    let mut window = filled(bounds(4000, 1 << 20), 60, 25);
    let mut cursor = Cursor::default();
    let read: Vec<_> = std::iter::from_fn(|| window.read_item_now(&mut cursor)).collect();
    assert_eq!(read, (50..60).collect::<Vec<_>>());
}

impl Window<u64> {
    fn read_item_now(&mut self, cursor: &mut Cursor) -> Option<u64> {
        match self.read(cursor) {
            Read::Item(n) => Some(n),
            _ => None,
        }
    }
}

#[test]
fn without_a_keyframe_a_reader_waits_for_the_next_one() {
    let mut window = Window::new(bounds(1000, 1 << 20));
    push(&mut window, 0, false);
    let mut cursor = Cursor::default();
    assert_eq!(window.read(&mut cursor), Read::Empty);
    push(&mut window, 1, true);
    assert_eq!(window.read(&mut cursor), Read::Item(1));
}

#[test]
fn a_reader_too_far_behind_skips_to_the_newest_keyframe() {
    let mut window = filled(bounds(1000, 1 << 20), 30, 25);
    let mut cursor = Cursor::default();
    assert_eq!(window.read(&mut cursor), Read::Item(25));
    for n in 30..60 {
        push(&mut window, n, n % 25 == 0);
    }
    assert_eq!(window.read(&mut cursor), Read::Skipped(24));
    assert_eq!(window.read(&mut cursor), Read::Item(50));
    let skips = window.skips();
    assert_eq!((skips.behind(), skips.bytes(), skips.items()), (1, 0, 24));
}

#[test]
fn a_reader_behind_in_the_newest_gop_is_left_alone_since_no_keyframe_would_help_it() {
    let mut window = filled(bounds(1000, 1 << 20), 1, 500);
    let mut cursor = Cursor::default();
    for n in 1..400 {
        push(&mut window, n, false);
    }
    assert_eq!(window.read(&mut cursor), Read::Item(0));
    assert_eq!(window.read(&mut cursor), Read::Item(1));
}

#[test]
fn the_newest_gop_is_kept_whole_beyond_the_bound_of_time() {
    let window = filled(bounds(1000, 1 << 20), 400, 500);
    assert_eq!(window.len(), 400);
    assert_eq!(window.overflows(), 0);
}

#[test]
fn a_gop_beyond_the_bound_of_bytes_is_cut_counted_and_makes_new_readers_wait() {
    let mut window = filled(bounds(1000, 10 * (1000 + ITEM_OVERHEAD)), 20, 500);
    assert!(window.bytes() <= 10 * (1000 + ITEM_OVERHEAD));
    assert_eq!(window.overflows(), 1);
    let mut cursor = Cursor::default();
    assert_eq!(window.read(&mut cursor), Read::Empty);
    push(&mut window, 20, true);
    assert_eq!(window.read(&mut cursor), Read::Item(20));
}

#[test]
fn a_reader_that_fell_off_the_tail_waits_for_a_keyframe_and_is_told_what_it_missed() {
    let mut window = filled(bounds(1000, 5 * (1000 + ITEM_OVERHEAD)), 1, 500);
    let mut cursor = Cursor::default();
    assert_eq!(window.read(&mut cursor), Read::Item(0));
    for n in 1..20 {
        push(&mut window, n, false);
    }
    assert_eq!(window.read(&mut cursor), Read::Empty);
    push(&mut window, 20, true);
    assert_eq!(window.read(&mut cursor), Read::Skipped(19));
    assert_eq!(window.read(&mut cursor), Read::Item(20));
    let skips = window.skips();
    assert_eq!((skips.behind(), skips.bytes(), skips.items()), (0, 1, 19));
}

#[test]
fn after_a_cut_new_readers_wait_while_those_under_way_read_on() {
    let mut window = filled(bounds(4000, 1 << 20), 5, 25);
    let mut old = Cursor::default();
    assert_eq!(window.read(&mut old), Read::Item(0));
    window.cut();
    assert_eq!(window.read(&mut Cursor::default()), Read::Empty);
    assert_eq!(window.read(&mut old), Read::Item(1));
}

#[test]
fn a_closed_window_says_so_to_everybody() {
    let mut window = filled(bounds(4000, 1 << 20), 5, 25);
    window.close();
    assert_eq!(window.read(&mut Cursor::default()), Read::Closed);
    assert!(window.is_empty());
}

proptest! {
    #[test]
    fn whatever_happens_a_reader_sees_ascending_items_whole_gops_and_bounded_memory(
        steps in prop::collection::vec((0u8..8, 1usize..3000, prop::bool::weighted(0.1)), 1..400),
        keep_ms in 50u64..3000,
        kilobytes in 2usize..200,
    ) {
        let bounds = bounds(keep_ms, kilobytes << 10);
        let mut window = Window::new(bounds);
        let mut cursor = Cursor::default();
        let (mut n, mut last): (u64, Option<u64>) = (0, None);
        let (mut starts, mut skipped) = (Vec::new(), 0);
        for (reads, bytes, start) in steps {
            starts.push(start);
            window.push(Slot { item: n, start, at: n as i64 * FRAME, bytes });
            n += 1;
            prop_assert!(window.bytes() <= bounds.bytes || window.len() <= 1);
            for _ in 0..reads {
                match window.read(&mut cursor) {
                    Read::Item(item) => {
                        let expected = last.map_or(item, |last| last + 1 + skipped);
                        prop_assert_eq!(item, expected);
                        if last.is_none() || skipped > 0 {
                            prop_assert!(starts[item as usize], "resumed at {} which is no start", item);
                        }
                        skipped = 0;
                        last = Some(item);
                    }
                    Read::Skipped(missed) => skipped += missed,
                    Read::Empty | Read::Closed => break,
                }
            }
        }
    }
}
