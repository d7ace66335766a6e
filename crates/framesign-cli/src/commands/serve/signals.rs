//! Signals of the system.

use std::io;

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

/// The signals that the service takes.
#[derive(Debug)]
pub(crate) struct Signals {
    /// SIGTERM and SIGINT, which end it.
    pub(crate) end: EndSignals,
    /// SIGHUP, which asks it to read its files again.
    pub(crate) hangups: Signal,
}

impl Signals {
    /// Takes the signals from now on. What comes before somebody waits for it is not lost, whatever
    /// runtime that is in.
    pub(crate) fn install() -> io::Result<Self> {
        // tokio asks for a runtime. That of the service needs the options, and its threads time.
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let _context = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self { end: EndSignals { terminate, interrupt }, hangups })
    }
}

/// The signals that end the service.
#[derive(Debug)]
pub(crate) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Waits for the next one, and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
