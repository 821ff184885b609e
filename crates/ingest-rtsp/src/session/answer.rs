//! What the camera's responses mean.

use std::time::Instant;

use hub::{Fault, Reason};
use rtsp::{Lower, Method, Response, Sdp, SessionHeader, Status, Transport, control};

use super::{Carrier, End, Event, Pending, Route, Session, Step, lower};
use crate::plan::Plan;
use crate::words;

impl Session {
    /// Takes the response to the pending request; any other is nobody's.
    pub(super) fn answered(&mut self, response: &Response, now: Instant) -> Result<(), End> {
        let Some(pending) = self.pending.take_if(|p| belongs(p, response)) else {
            return Ok(());
        };
        if response.status.0 < 200 {
            // 100 Continue: the answer is still to come.
            self.pending = Some(pending);
            return Ok(());
        }
        if response.status == Status::UNAUTHORIZED {
            return self.challenged(pending, response, now);
        }
        self.auth.accepted(&response.headers);
        if let Some(public) = response.headers.get("Public") {
            let methods = public.split([',', ' ']).filter(|m| !m.is_empty());
            self.public = methods.map(str::to_ascii_uppercase).collect();
        }
        if response.status.is_redirect()
            && let Some(url) = response.headers.get("Location")
        {
            return Err(End::Redirect(url.to_owned()));
        }
        match self.step {
            // Whatever a camera says to OPTIONS, DESCRIBE will tell.
            Step::Options => self.describe(now),
            Step::Describe => self.described(response, now)?,
            Step::Setup(index) => self.was_set_up(index, response, now)?,
            Step::Play => self.play_answered(&pending, response, now)?,
            Step::Playing => self.kept_alive(&pending, response)?,
            Step::Teardown => {}
        }
        Ok(())
    }

    /// Repeats a request with credentials, if there are any that the camera may take.
    fn challenged(
        &mut self,
        mut pending: Pending,
        response: &Response,
        now: Instant,
    ) -> Result<(), End> {
        if self.step == Step::Teardown {
            return Ok(());
        }
        pending.challenges += 1;
        if pending.challenges > super::MAX_CHALLENGES {
            return Err(words::refusal(&crate::auth::Refusal::WrongCredentials).into());
        }
        self.auth
            .challenged(&response.headers)
            .map_err(|refusal| words::refusal(&refusal))?;
        pending.sent = now;
        self.pending = Some(pending);
        self.transmit();
        Ok(())
    }

    fn described(&mut self, response: &Response, now: Instant) -> Result<(), End> {
        success(&Method::Describe, response)?;
        let headers = &response.headers;
        let base = control::base(
            &self.settings.url,
            &[headers.get("Content-Base"), headers.get("Content-Location")],
        );
        let sdp = Sdp::parse(&response.body).map_err(|error| words::wire(&error))?;
        let plan = Plan::new(&sdp, &base, self.settings.audio)?;
        self.aggregate = control::join(&base, sdp.control.as_deref().unwrap_or("*"));
        self.plan = Some(plan.clone());
        self.events.push_back(Event::Described(plan));
        self.set_up(0, now);
        Ok(())
    }

    fn was_set_up(&mut self, index: usize, response: &Response, now: Instant) -> Result<(), End> {
        if !response.status.is_success() {
            self.set_up_refused(response)?;
            self.routes.push(None);
            self.set_up(index + 1, now);
            return Ok(());
        }
        if let Some(value) = response.headers.get("Session") {
            // A response that only repeats the id does not shorten the timeout.
            let header = SessionHeader::parse(value).map_err(|error| words::wire(&error))?;
            match &self.header {
                Some(known) if known.id == header.id && !value.contains('=') => {}
                _ => self.header = Some(header),
            }
        }
        let route = self.route(index, response.headers.get("Transport"))?;
        self.routes.push(Some(route));
        self.set_up(index + 1, now);
        Ok(())
    }

    /// A track that can't be set up ends the session, unless another one already is.
    fn set_up_refused(&self, response: &Response) -> Result<(), End> {
        let fault = words::status(&Method::Setup, response.status, &response.phrase);
        let first = self.routes.iter().all(Option::is_none);
        match response.status.0 {
            // 400 and 501 are what rtsp-server-perl and rtsp-streaming-server say to a transport that they
            // do not have.
            400 | 406 | 461 | 500 | 501 | 551 if first => Err(End::Carrier(fault)),
            _ if first => Err(fault.into()),
            _ => Ok(()),
        }
    }

    /// How the packets of lane `index` come. What the camera does not say is what it was asked for.
    fn route(&self, index: usize, transport: Option<&str>) -> Result<Route, End> {
        let asked = lower(&self.settings.carrier);
        let given = transport.and_then(|t| Transport::parse(t).ok());
        let by = given.as_ref().map_or(asked, |t| t.lower);
        if by == Lower::Udp && self.settings.carrier == Carrier::Tcp {
            return Err(End::Carrier(Fault::new(
                Reason::Protocol,
                "the camera answered a request for TCP with UDP",
            )));
        }
        let channel = (index * 2) as u8;
        let interleaved = given.as_ref().and_then(|t| t.interleaved);
        Ok(Route {
            channels: (by == Lower::Tcp).then(|| interleaved.unwrap_or((channel, channel + 1))),
            server_ports: given
                .as_ref()
                .and_then(|t| t.server_port)
                .filter(|p| p.0 > 0),
            source: given.and_then(|t| t.source),
        })
    }

    /// Success starts the watch for packets; so does a refusal, with a doubt: some cameras answer with an
    /// error and play all the same.
    fn play_answered(
        &mut self,
        pending: &Pending,
        response: &Response,
        now: Instant,
    ) -> Result<(), End> {
        let status = response.status;
        if status.is_success() {
            self.doubt = None;
            // It is the first packet that turns Play into Playing.
            return Ok(());
        }
        if status.0 == 457 && pending.request.headers.get("Range").is_some() {
            self.play(false, now);
            return Ok(());
        }
        let fault = words::status(&Method::Play, status, &response.phrase);
        match status.0 {
            454 => Err(fault.into()),
            461 => Err(End::Carrier(fault)),
            _ => {
                self.doubt = Some(fault);
                Ok(())
            }
        }
    }

    /// A keep-alive that the camera does not know is not sent again; a session that it has forgotten is over.
    fn kept_alive(&mut self, pending: &Pending, response: &Response) -> Result<(), End> {
        if response.status == Status::SESSION_NOT_FOUND {
            let fault = words::status(&pending.request.method, response.status, &response.phrase);
            return Err(fault.into());
        }
        if !response.status.is_success() && pending.request.method == Method::GetParameter {
            self.public.retain(|m| m != "GET_PARAMETER");
        }
        Ok(())
    }
}

/// Whether `response` is the one to `pending`: by its number, or because it has none. Late answers to
/// keep-alives that were given up have lower numbers.
fn belongs(pending: &Pending, response: &Response) -> bool {
    response.cseq().is_none_or(|cseq| cseq == pending.cseq)
}

fn success(method: &Method, response: &Response) -> Result<(), End> {
    if response.status.is_success() {
        return Ok(());
    }
    Err(words::status(method, response.status, &response.phrase).into())
}
