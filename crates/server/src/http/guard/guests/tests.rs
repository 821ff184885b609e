use auth::{Action, KeyHash, PasswordHash, Policy};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config;

const NOW: u64 = 1_800_000_000;
const WATCH: Need = Need::Stream(Action::Watch);

fn settings(text: &str) -> config::Auth {
    toml::from_str(text).unwrap()
}

fn guard(text: &str) -> Guard {
    Guard::new(&settings(text), true, &CancellationToken::new()).unwrap()
}

/// Somebody whom `guard` lets watch the stream `front`.
fn admitted(guard: &Guard, who: Who, grants: &str) -> Admitted {
    Admitted {
        identity: Identity::new(who, Grants::parse_list(grants).unwrap()),
        need: WATCH,
        stream: Some("front".to_owned()),
        session: None,
        local: false,
        by: guard.current(),
        leave: WeakLeave::default(),
    }
}

fn key(name: &str, grants: &str) -> String {
    let hash = KeyHash::of(name);
    format!("[keys.{name}]\nhash = \"{hash}\"\ngrants = [\"{grants}\"]\n")
}

#[tokio::test]
async fn a_change_sends_away_at_once_whom_it_concerns_and_nobody_else() {
    let (stays, goes) = (key("stays", "watch"), key("goes", "watch"));
    let guard = guard(&format!("{stays}{goes}"));
    let let_in = |name: &str| {
        let who = Who::Key(name.to_owned());
        guard.lets_in(admitted(&guard, who, "watch"))
    };
    let (one, other) = (let_in("stays"), let_in("goes"));
    let change = |text: &str| guard.configure(&settings(text), true).unwrap();
    change(&format!("session = \"1h\"\n{stays}{goes}"));
    assert!(!one.is_told() && !other.is_told(), "nothing about them");
    change(&stays);
    assert!(!one.is_told() && other.is_told(), "its key is gone");
    change(&key("stays", "watch:front*"));
    assert!(!one.is_told(), "it may still watch what it watches");
    change(&key("stays", "watch:back"));
    assert!(one.is_told(), "it may watch others alone");
}

#[tokio::test]
async fn who_said_nothing_may_stay_as_long_as_anybody_may() {
    let guard = guard("");
    let here = Admitted {
        local: true,
        ..admitted(&guard, Who::Local, "watch control")
    };
    let (here, open) = (
        guard.lets_in(here),
        guard.lets_in(admitted(&guard, Who::Anonymous, "watch")),
    );
    guard
        .configure(&settings("session = \"1h\""), true)
        .unwrap();
    assert!(!here.is_told(), "it is at this machine");
    assert!(open.is_told(), "it is not, and nobody else may");
    guard
        .configure(&settings(&key("k", "watch")), true)
        .unwrap();
    assert!(here.is_told(), "it has to say who it is now");
}

#[tokio::test]
async fn what_others_vouch_for_is_good_as_long_as_they_are_asked() {
    let text = "signing_key = \"one signing key of thirty-two letters\"\n[jwt]\nsecret = \"a secret of thirty-two characters\"\n\
                [token_backend]\nurl = \"http://127.0.0.1:9/\"\n";
    let guard = guard(text);
    let kinds = [Who::Jwt("x".to_owned()), Who::Media, Who::Backend];
    let all = kinds.map(|who| guard.lets_in(admitted(&guard, who, "watch")));
    let told = || all.each_ref().map(Leave::is_told);
    let change = |from: &str, to: &str| {
        let text = text.replace(from, to);
        guard.configure(&settings(&text), true).unwrap();
    };
    change("[token_backend]", "[token_backend]\ncache = \"1s\"");
    assert_eq!(told(), [false; 3]);
    change("a secret", "another secret");
    assert_eq!(told(), [true, false, false]);
    change("one signing", "another signing");
    assert_eq!(told(), [true, true, false]);
    change(":9/", ":10/");
    assert_eq!(told(), [true; 3]);
}

#[tokio::test]
async fn who_watches_goes_when_what_let_them_in_ends() {
    let guard = guard(&key("k", "watch"));
    let mut one = admitted(&guard, Who::Media, "watch");
    one.identity = one.identity.until(NOW + 10);
    let leave = guard.lets_in(one);
    guard.review(NOW + 9);
    assert!(!leave.is_told());
    guard.review(NOW + 10);
    assert!(leave.is_told());
}

#[tokio::test]
async fn who_logs_out_goes_and_who_is_logged_in_stays_until_the_password_is_another() {
    let user = |hash: &PasswordHash| {
        format!("[users.ann]\npassword_hash = \"{hash}\"\nrole = \"viewer\"\n")
    };
    let hash = PasswordHash::of("x").unwrap();
    let guard = guard(&user(&hash));
    let login = || {
        let policy = guard.policy();
        let user = policy.named("ann").unwrap();
        Policy::begin_session(&mut guard.sessions(), user, 100, NOW)
    };
    let let_in = |cookie: &str| {
        guard.lets_in(Admitted {
            session: Some(Sessions::name(cookie)),
            ..admitted(&guard, Who::User("ann".to_owned()), "watch")
        })
    };
    let cookies = [login(), login()];
    let [one, other] = cookies.each_ref().map(|cookie| let_in(cookie));
    guard.sessions().end(&cookies[0]);
    guard.review(NOW + 1);
    assert!(one.is_told() && !other.is_told());
    let another = PasswordHash::of("y").unwrap();
    guard.configure(&settings(&user(&another)), true).unwrap();
    assert!(other.is_told());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_all_is_looked_at_by_one_timer() {
    let guard = guard("");
    tokio::spawn(guard.clone().see_guests_off());
    let mut one = admitted(&guard, Who::Media, "watch");
    one.identity = one.identity.until(now() - 1);
    let leave = guard.lets_in(one);
    assert!(!leave.is_told());
    tokio::time::timeout(2 * LOOK, leave.told()).await.unwrap();
}

#[tokio::test]
async fn those_who_left_are_not_kept() {
    let guard = guard("");
    let stays = guard.lets_in(admitted(&guard, Who::Media, "watch"));
    for _ in 0..1000 {
        guard.lets_in(admitted(&guard, Who::Media, "watch"));
    }
    let kept = guard.0.guests.0.lock().unwrap().admitted.len();
    assert!(kept <= SWEEP, "{kept}");
    assert!(!stays.is_told());
}

#[tokio::test]
async fn nobody_locks_themselves_out_unawares() {
    let key = |name: &str, role: &str| {
        let hash = KeyHash::of(name);
        format!("[keys.{name}]\nhash = \"{hash}\"\nrole = \"{role}\"\n")
    };
    let me = Identity::new(Who::Key("me".to_owned()), Grants::all());
    let with_me = guard(&key("me", "admin"));
    let why = |text: &str| with_me.locks_out(&me, &settings(text), false);
    assert_eq!(why(&(key("me", "admin") + &key("another", "viewer"))), None);
    for gone in [&key("another", "admin"), &key("me", "viewer")] {
        let why = why(gone).unwrap();
        assert!(why.contains("you (key me)"), "{why}");
    }

    let fresh = guard("");
    let here = Identity::new(Who::Local, Grants::all());
    let why = |text: &str, local| fresh.locks_out(&here, &settings(text), local);
    assert_eq!(why("session = \"1h\"", true), None);
    assert_eq!(
        why(&key("first", "admin"), true),
        None,
        "with that one it goes on"
    );
    for (text, local) in [("", false), (key("first", "viewer").as_str(), true)] {
        let why = why(text, local).unwrap();
        assert!(why.contains("role = \"admin\""), "{why}");
    }
}
