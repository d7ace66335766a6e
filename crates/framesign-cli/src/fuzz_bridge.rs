//! The gateway between sockets of this process, for the fuzzer: it is compiled for nobody else.

use std::{os::unix::net::UnixStream, path::Path, sync::Arc};

use clap::Parser;
use tokio_util::either::Either;

use crate::{
    commands::gateway::Options,
    gateway::app::{Gateway, app},
    serve::{
        net::{connection::Server, drain::Drain, endpoint::PeerAddress, idle_timer::IdleTimer},
        state::{environment::Environment, warnings::Warnings},
    },
};

/// The arguments of a gateway.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// A gateway without a listener.
#[derive(Debug)]
pub struct InMemoryGateway(Arc<Server>);

impl InMemoryGateway {
    /// A gateway before the URL `upstream` that knows the access keys in the file `secrets`, with further
    /// `arguments`.
    ///
    /// # Panics
    ///
    /// If the arguments or the file cannot be used.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the fuzzer gives it what can be used")]
    pub fn new(secrets: &Path, upstream: &str, arguments: &[&str]) -> Self {
        let secrets = secrets.to_str().expect("a path of text");
        let first = ["gateway", "--secrets", secrets, "--upstream", upstream];
        let arguments = Arguments::parse_from(first.iter().chain(arguments));
        let settings = arguments.options.settings().expect("options that can be used");
        let mut warnings = Warnings::default();
        let gateway = Gateway::new(settings, &Environment::of_process(), &mut warnings);
        let gateway = Arc::new(gateway.expect("files that can be read"));
        Self(Arc::new(Server::new(app(&gateway).main, Arc::clone(&gateway.server), None)))
    }

    /// Serves one connection to its end.
    ///
    /// # Panics
    ///
    /// If it is called outside of a runtime of tokio.
    #[expect(clippy::expect_used, reason = "the fuzzer gives it a socket")]
    pub async fn serve(&self, client: UnixStream) {
        client.set_nonblocking(true).expect("a socket");
        let client = tokio::net::UnixStream::from_std(client).expect("a runtime");
        let (socket, timer) = (Either::Right(client), IdleTimer::default());
        Arc::clone(&self.0).serve(socket, PeerAddress::Unix, timer, Drain::default()).await;
    }
}
