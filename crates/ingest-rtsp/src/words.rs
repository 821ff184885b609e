//! Faults in words that a camera owner understands. None holds a secret.

use std::io;
use std::time::Duration;

use hub::{Fault, Reason};
use rtsp::{Method, Status};

use crate::auth::Refusal;

/// What a status other than success means for the request `method`.
pub(crate) fn status(method: &Method, status: Status, phrase: &str) -> Fault {
    let phrase: String = phrase
        .chars()
        .filter(|c| !c.is_control())
        .take(60)
        .collect();
    let said = if phrase.is_empty() {
        status.to_string()
    } else {
        format!("{} {phrase}", status.0)
    };
    let (reason, message) = match status.0 {
        404 => (
            Reason::NotFound,
            format!(
                "the camera has no such path ({said}); check the part of its URL after the host"
            ),
        ),
        400 if *method == Method::Describe => (
            Reason::NotFound,
            format!("the camera does not understand the path of its URL ({said})"),
        ),
        401 | 403 => (
            Reason::Unauthorized,
            format!("the camera forbids this user to watch ({said})"),
        ),
        453 | 503 => (
            Reason::Busy,
            format!("the camera serves as many clients as it can, or is starting up ({said})"),
        ),
        454 => (
            Reason::Closed,
            format!("the camera has forgotten the session ({said})"),
        ),
        415 | 461 | 551 => (
            Reason::Unsupported,
            format!("the camera offers none of the transports that we know ({said})"),
        ),
        _ => (
            Reason::Protocol,
            format!("the camera answered {method} with {said}"),
        ),
    };
    Fault::new(reason, message)
}

pub(crate) fn refusal(refusal: &Refusal) -> Fault {
    let message = match refusal {
        Refusal::NoCredentials => {
            "the camera wants a user name and password, and none are given".to_owned()
        }
        Refusal::WrongCredentials => "the camera refused the user name or password".to_owned(),
        Refusal::UnknownScheme(name) if name.is_empty() => {
            "the camera wants a user name and password, but not how to send them".to_owned()
        }
        Refusal::UnknownScheme(name) => format!(
            "the camera wants the user name and password by `{name}`; Digest and Basic are supported"
        ),
    };
    Fault::new(Reason::Unauthorized, message)
}

pub(crate) fn no_answer(method: &Method, waited: Duration) -> Fault {
    Fault::new(
        Reason::Timeout,
        format!(
            "the camera did not answer {method} within {}",
            seconds(waited)
        ),
    )
}

pub(crate) fn nothing_arrives(by: &str, waited: Duration) -> Fault {
    Fault::new(
        Reason::Timeout,
        format!(
            "the camera agreed to play, but nothing arrived by {by} within {}",
            seconds(waited)
        ),
    )
}

pub(crate) fn silent(waited: Duration) -> Fault {
    Fault::new(
        Reason::Stalled,
        format!("the camera has sent nothing for {}", seconds(waited)),
    )
}

pub(crate) fn no_picture(waited: Duration) -> Fault {
    Fault::new(
        Reason::Stalled,
        format!(
            "the camera sends sound but no picture, for {} s now",
            waited.as_secs()
        ),
    )
}

pub(crate) fn wire(error: &rtsp::Error) -> Fault {
    Fault::new(
        Reason::Protocol,
        format!("the camera broke the protocol: {error}"),
    )
}

pub(crate) fn closed(step: &str) -> Fault {
    Fault::new(
        Reason::Closed,
        format!("the camera closed the connection {step}"),
    )
}

pub(crate) fn left() -> Fault {
    Fault::new(Reason::Closed, "the camera ended the stream")
}

pub(crate) fn connect_timeout(waited: Duration) -> Fault {
    Fault::new(
        Reason::Timeout,
        format!(
            "the camera could not be reached within {}; check its address and that it is switched on",
            seconds(waited)
        ),
    )
}

pub(crate) fn handshake_timeout(waited: Duration) -> Fault {
    Fault::new(
        Reason::Tls,
        format!(
            "the encrypted connection to the camera was not set up within {}; does it speak TLS on this port?",
            seconds(waited)
        ),
    )
}

pub(crate) fn unknown_host(host: &str, error: &io::Error) -> Fault {
    Fault::new(
        Reason::Unreachable,
        format!("the host name `{host}` can't be resolved: {error}"),
    )
}

/// An error of connecting to `host`.
pub(crate) fn connect(host: &str, port: u16, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::new(
            Reason::Refused,
            format!("{host} refused the connection: nothing listens on port {port}"),
        ),
        io::ErrorKind::TimedOut => Fault::new(
            Reason::Timeout,
            format!("{host} did not answer; check its address and that it is switched on"),
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Fault::new(
            Reason::Unreachable,
            format!("no route leads to {host}: {error}"),
        ),
        _ => Fault::new(
            Reason::Unreachable,
            format!("{host} can't be reached: {error}"),
        ),
    }
}

/// An error of a connection that stood.
pub(crate) fn broken(step: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => closed(step),
        io::ErrorKind::TimedOut => Fault::new(
            Reason::Timeout,
            format!("the connection to the camera broke {step}: {error}"),
        ),
        _ => Fault::new(
            Reason::Closed,
            format!("the connection to the camera broke {step}: {error}"),
        ),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
