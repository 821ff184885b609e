use super::*;
use crate::stun::testing::signed_request;

fn path(port: u16) -> Path {
    Path {
        remote: SocketAddr::from(([10, 0, 0, 1], port)),
        tcp: None,
    }
}

struct Bench {
    agent: Agent,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            agent: Agent::new("them".to_owned(), now),
            now,
        }
    }

    /// A check by who knows `local`, from `port`.
    fn check(&mut self, local: &Credentials, remote: &str, port: u16, nominate: bool) -> bool {
        let bytes = signed_request(
            &format!("{}:{remote}", local.ufrag),
            &local.password,
            nominate,
        );
        let request = Request::parse(&bytes).expect("it is a request");
        self.agent.check(&request, path(port), self.now).is_some()
    }
}

#[test]
fn media_goes_to_the_pair_that_was_nominated_last() {
    let mut bench = Bench::new();
    let local = bench.agent.local().clone();
    assert_eq!(bench.agent.selected(), None);
    assert!(bench.check(&local, "them", 1, false));
    assert_eq!(bench.agent.selected(), Some(path(1)), "answers go there");
    assert!(bench.check(&local, "them", 2, false));
    assert_eq!(bench.agent.selected(), Some(path(1)));
    assert!(bench.check(&local, "them", 2, true));
    assert_eq!(bench.agent.selected(), Some(path(2)));
    assert!(bench.check(&local, "them", 1, false));
    assert_eq!(bench.agent.selected(), Some(path(2)));
    assert!(bench.agent.knows(path(1)) && !bench.agent.knows(path(3)));
}

#[test]
fn t33_a_check_with_a_wrong_password_or_name_changes_nothing() {
    let mut bench = Bench::new();
    let local = bench.agent.local().clone();
    let wrong = Credentials {
        password: "wrong".to_owned(),
        ..local.clone()
    };
    assert!(!bench.check(&wrong, "them", 1, true));
    assert!(!bench.check(&local, "others", 1, true));
    assert_eq!(bench.agent.selected(), None);
    assert!(!bench.agent.knows(path(1)));
}

#[test]
fn a_copy_of_a_check_that_comes_from_elsewhere_moves_nothing() {
    let mut bench = Bench::new();
    let local = bench.agent.local().clone();
    let name = format!("{}:them", local.ufrag);
    let bytes = signed_request(&name, &local.password, true);
    let request = Request::parse(&bytes).expect("it is a request");
    assert!(bench.agent.check(&request, path(1), bench.now).is_some());
    assert!(
        bench.agent.check(&request, path(1), bench.now).is_some(),
        "sent again"
    );
    assert!(bench.agent.check(&request, path(2), bench.now).is_none());
    assert_eq!(bench.agent.selected(), Some(path(1)));
    assert!(!bench.agent.knows(path(2)));
    for port in 3..100 {
        assert!(bench.check(&local, "them", port, false));
    }
    assert_eq!(bench.agent.seen.len(), MAX_SEEN);
    assert!(
        bench.check(&local, "them", 2, true),
        "who knows the password may move"
    );
    assert_eq!(bench.agent.selected(), Some(path(2)));
}

#[test]
fn t25_consent_ends_25_s_after_the_last_valid_check() {
    let mut bench = Bench::new();
    let local = bench.agent.local().clone();
    bench.now += Duration::from_secs(10);
    assert!(bench.check(&local, "them", 1, true));
    assert_eq!(
        bench.agent.consent_ends(),
        bench.now + Duration::from_secs(25)
    );
    let at = bench.agent.consent_ends();
    bench.now += Duration::from_secs(1);
    assert!(!bench.check(&local, "others", 1, true));
    assert_eq!(bench.agent.consent_ends(), at);
}

#[test]
fn t19_after_a_restart_the_old_names_hold_until_the_new_ones_are_used() {
    let mut bench = Bench::new();
    let old = bench.agent.local().clone();
    assert!(bench.check(&old, "them", 1, true));
    bench.agent.restart("again".to_owned());
    let new = bench.agent.local().clone();
    assert_ne!(old, new);
    assert!(bench.check(&old, "them", 1, true), "media goes on");
    assert_eq!(bench.agent.selected(), Some(path(1)));
    assert!(bench.check(&new, "again", 2, false));
    assert_eq!(
        bench.agent.selected(),
        Some(path(2)),
        "the old network may be gone"
    );
    assert!(!bench.check(&old, "them", 1, true));
    assert_eq!(bench.agent.ufrags().count(), 1);
}

#[test]
fn pairs_are_bounded_and_the_selected_one_stays() {
    let mut bench = Bench::new();
    let local = bench.agent.local().clone();
    assert!(bench.check(&local, "them", 1, true));
    for port in 2..200 {
        assert!(bench.check(&local, "them", port, false));
    }
    assert_eq!(bench.agent.pairs.len(), MAX_PAIRS);
    assert!(bench.agent.knows(path(1)));
    let forgotten = bench.agent.take_forgotten();
    assert_eq!(forgotten.len(), 199 - MAX_PAIRS);
    assert!(!forgotten.iter().any(|old| bench.agent.knows(*old)));
    bench.agent.restart("again".to_owned());
    let new = bench.agent.local().clone();
    assert!(bench.check(&new, "again", 1, true));
    let forgotten = bench.agent.take_forgotten();
    assert_eq!(
        forgotten.len(),
        MAX_PAIRS - 1,
        "all but the one that is used again"
    );
}
