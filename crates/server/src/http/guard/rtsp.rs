//! Who may watch over RTSP: the same question, asked by another protocol.

use auth::{Action, Grants, Identity, Who};
use egress_rtsp::{Admission, Ask, Gate, Refused};
use hub::{Leave, WeakLeave};

use super::guests::Admitted;
use super::needs::{Need, Proto};
use super::{Guard, Presented, Refusal, Watching};

impl Gate for Guard {
    fn admit(&self, ask: Ask) -> Admission<'_> {
        Box::pin(async move { self.admit_rtsp(ask).await.map_err(Refused::from) })
    }
}

impl Guard {
    async fn admit_rtsp(&self, ask: Ask) -> Result<Leave, Refusal> {
        let watching = Watching {
            stream: ask.stream,
            channel: ask.channel.unwrap_or_default(),
            proto: Proto::Rtsp,
        };
        let presented = Presented::from(ask.presented);
        let (by, local) = (self.current(), ask.address.is_loopback());
        let mut identity = self
            .identify(&presented, ask.address, Some(&watching))
            .await?;
        // The RTSP server may be reached from elsewhere where the pages can't be.
        if identity.who == Who::Local && !local {
            identity = Identity::new(Who::Anonymous, Grants::none());
        }
        let need = Need::Stream(Action::Watch);
        self.decide(&identity, need, Some(&watching.stream))?;
        Ok(self.lets_in(Admitted {
            identity,
            need,
            stream: Some(watching.stream),
            session: None,
            local,
            by,
            leave: WeakLeave::default(),
        }))
    }
}

impl From<egress_rtsp::Presented> for Presented {
    fn from(presented: egress_rtsp::Presented) -> Self {
        use egress_rtsp::Presented as Rtsp;
        match presented {
            Rtsp::Nothing => Self::Nothing,
            Rtsp::QueryToken(token) => Self::QueryToken(token),
            Rtsp::Bearer(token) => Self::Bearer(token),
            Rtsp::Basic { name, password } => Self::Basic { name, password },
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated(_) => Self::Unauthenticated,
            Refusal::TooMany(wait) => Self::TooMany(wait),
            other => Self::Forbidden(other.detail()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config;

    async fn admit(
        guard: &Guard,
        presented: egress_rtsp::Presented,
        from: [u8; 4],
    ) -> Result<(), Refused> {
        let ask = Ask {
            stream: "front".to_owned(),
            channel: None,
            presented,
            address: IpAddr::from(from),
        };
        Gate::admit(guard, ask).await.map(drop)
    }

    fn guard(auth: &str) -> Guard {
        let settings: config::Auth = toml::from_str(auth).unwrap();
        Guard::new(&settings, true, &CancellationToken::new()).unwrap()
    }

    #[tokio::test]
    async fn without_credentials_this_machine_may_watch_and_no_other() {
        let guard = guard("");
        let nothing = egress_rtsp::Presented::Nothing;
        assert_eq!(admit(&guard, nothing.clone(), [127, 0, 0, 1]).await, Ok(()));
        let elsewhere = admit(&guard, nothing, [192, 0, 2, 1]).await;
        assert!(matches!(elsewhere, Err(Refused::Forbidden(why)) if why.contains("auth.users")));
    }

    #[tokio::test]
    async fn users_and_keys_watch_what_they_may_over_rtsp_too() {
        let (hash, key) = (
            auth::PasswordHash::of("right").unwrap(),
            auth::generate_key(),
        );
        let guard = guard(&format!(
            "[users.ann]\npassword_hash = \"{hash}\"\ngrants = [\"watch:front\"]\n\
             [users.bob]\npassword_hash = \"{hash}\"\ngrants = [\"watch:back\"]\n\
             [keys.nvr]\nhash = \"{}\"\nrole = \"viewer\"\n",
            auth::KeyHash::of(&key)
        ));
        let basic = |name: &str, password: &str| egress_rtsp::Presented::Basic {
            name: name.to_owned(),
            password: password.to_owned(),
        };
        let here = [127, 0, 0, 1];
        assert_eq!(admit(&guard, basic("ann", "right"), here).await, Ok(()));
        let token = egress_rtsp::Presented::QueryToken(key);
        assert_eq!(admit(&guard, token, here).await, Ok(()));
        let wrong = admit(&guard, basic("ann", "wrong"), here).await;
        assert_eq!(wrong, Err(Refused::Unauthenticated));
        let nobody = admit(&guard, egress_rtsp::Presented::Nothing, here).await;
        assert_eq!(nobody, Err(Refused::Unauthenticated));
        let other = admit(&guard, basic("bob", "right"), here).await;
        assert!(matches!(other, Err(Refused::Forbidden(_))));
    }
}
