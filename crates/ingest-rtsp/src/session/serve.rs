//! What the camera asks of us.

use hub::{Fault, Reason};
use rtsp::{Method, Request, Response, Status};

use super::{End, Session};

/// What a camera may ask of its client (RFC 2326 §10.1, §10.10).
const PUBLIC: &str = "OPTIONS, REDIRECT, TEARDOWN";

impl Session {
    /// Answers a request of the camera's. Some check with OPTIONS whether their clients live.
    pub(super) fn serve(&mut self, request: &Request) -> Result<(), End> {
        let status = match &request.method {
            Method::Options | Method::Redirect | Method::Teardown => Status::OK,
            Method::Other(_) => Status::NOT_IMPLEMENTED,
            _ => Status::METHOD_NOT_ALLOWED,
        };
        let mut response = Response::to(request, status);
        match status {
            Status::OK if request.method == Method::Options => {
                response.headers.push("Public", PUBLIC);
            }
            Status::METHOD_NOT_ALLOWED => response.headers.push("Allow", PUBLIC),
            _ => {}
        }
        response.write(&mut self.output);
        match (&request.method, request.headers.get("Location")) {
            (Method::Redirect, Some(url)) => Err(End::Redirect(url.to_owned())),
            (Method::Teardown, _) => Err(End::Fault(Fault::new(
                Reason::Closed,
                "the camera ended the session",
            ))),
            _ => Ok(()),
        }
    }
}
