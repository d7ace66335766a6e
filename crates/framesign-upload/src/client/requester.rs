//! Requests that are sent until they are answered.

use std::time::SystemTime;

use framesign::client::SignableBody;
use http::{Method, Request};
use tokio::time;

use super::{
    answer::Answer,
    error::{Failure, UploadError},
    event::Event,
    part::Sent,
    retries::{Attempts, Kind, kind},
    settings::Settings,
    transport::NoAnswer,
};

/// Sends the requests of an upload, each again until it is answered by a success or there is no use
/// in it.
pub(super) struct Requester<'a> {
    settings: &'a Settings,
    attempts: Attempts,
    /// Whether the server has accepted a request with this key.
    is_accepted: bool,
}

impl<'a> Requester<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self { settings, attempts: Attempts::new(settings.retries), is_accepted: false }
    }

    /// Begins to count anew, since the last request made progress.
    pub(super) fn progressed(&mut self) {
        self.attempts = Attempts::new(self.settings.retries);
    }

    /// Forgets what was accepted: whoever answered need not have looked at the signature.
    pub(super) fn forget_acceptance(&mut self) {
        self.is_accepted = false;
        self.progressed();
    }

    /// Sends a request once.
    pub(super) async fn try_send(
        &self,
        request: Request<SignableBody>,
        sent: &Sent,
    ) -> Result<Answer, NoAnswer> {
        self.settings.transport.send(request, sent).await
    }

    /// Waits before the next attempt. Returns whether there is one.
    pub(super) async fn pause(&mut self) -> bool {
        let pause = self.attempts.pause(None);
        if let Some(pause) = pause {
            time::sleep(pause).await;
        }
        pause.is_some()
    }

    /// Sends a request without content until it has an answer that is a success.
    pub(super) async fn send(
        &mut self,
        make: impl Fn() -> Request<SignableBody>,
    ) -> Result<Answer, UploadError> {
        self.send_with_body(make, &Sent::default()).await
    }

    /// The same with a body, which notes in `sent` how much of it was handed on.
    pub(super) async fn send_with_body(
        &mut self,
        make: impl Fn() -> Request<SignableBody>,
        sent: &Sent,
    ) -> Result<Answer, UploadError> {
        loop {
            let request = make();
            let method = request.method().clone();
            match self.settings.transport.send(request, sent).await {
                Ok(answer) if answer.is_success() => {
                    self.is_accepted = true;
                    return Ok(answer);
                }
                Ok(answer) => self.pause_after(&method, &answer).await?,
                Err(problem) => self.pause_after_break(problem).await?,
            }
        }
    }

    /// Waits after an answer that is no success, if another attempt is to be made.
    pub(super) async fn pause_after(
        &mut self,
        method: &Method,
        answer: &Answer,
    ) -> Result<(), UploadError> {
        let retry_after = answer.retry_after(SystemTime::now());
        let failure = || Failure::Status { status: answer.status, detail: answer.detail() };
        let pause = match kind(answer.status, retry_after.is_some()) {
            Kind::Final => None,
            Kind::Refusal => self.attempts.pause_after_refusal(self.is_accepted),
            Kind::Passing => match self.attempts.pause(retry_after) {
                Some(pause) => Some(pause),
                None => return Err(self.gave_up(failure())),
            },
        };
        let pause = pause.ok_or_else(|| refused(method, answer))?;
        self.wait(&failure(), pause).await;
        Ok(())
    }

    /// The same after a request without an answer.
    pub(super) async fn pause_after_break(&mut self, problem: NoAnswer) -> Result<(), UploadError> {
        let error = match problem {
            NoAnswer::Never(error) => return Err(error),
            NoAnswer::Broken(error) => error,
        };
        let is_lasting = (self.settings.is_lasting)(error.as_ref());
        let failure = Failure::Connection(error);
        match self.attempts.pause(None).filter(|_| !is_lasting) {
            Some(pause) => {
                self.wait(&failure, pause).await;
                Ok(())
            }
            None => Err(self.gave_up(failure)),
        }
    }

    async fn wait(&self, problem: &Failure, pause: time::Duration) {
        self.settings.observer.tell(Event::Retrying { problem, pause });
        time::sleep(pause).await;
    }

    fn gave_up(&self, last: Failure) -> UploadError {
        UploadError::GaveUp { failures: self.attempts.failures, last }
    }
}

/// The error of an answer after which there is no use in another attempt.
pub(super) fn refused(method: &Method, answer: &Answer) -> UploadError {
    UploadError::Refused {
        method: method.clone(),
        status: answer.status,
        detail: answer.detail(),
        has_ended: answer.complete() == Some(true),
    }
}
