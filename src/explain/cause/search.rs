//! Holds candidates against the evidence, one after another.

use super::{
    derivation::Derivation,
    form::Form,
    repair::{Repair, Side},
    request::Request,
};
use crate::{
    explain::{case::Case, evidence::Evidence},
    protocol::{PayloadHash, SigningKey},
};

/// The most items of one kind, fields or parameters or segments, that have candidates of their own.
pub(super) const MAX_ITEMS: usize = 256;

/// A search: what is signed, and what it is held against.
pub(super) struct Search<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) evidence: &'a Evidence,
    pub(super) request: Request,
    /// The canonical request of `request`.
    pub(super) ours: Vec<u8>,
    /// The payload, if it is in memory.
    pub(super) payload: Option<&'a [u8]>,
    /// The key of the protocol, if the keys are known.
    key: Option<SigningKey>,
    found: Vec<Found>,
    /// The number of candidates so far.
    pub(super) candidates: usize,
}

/// A candidate that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) repair: Repair,
    pub(super) side: Side,
    /// What it is about: the name of a field, say.
    pub(super) subject: Option<String>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        case: &'a Case<'a>,
        evidence: &'a Evidence,
        request: Request,
        payload: Option<&'a [u8]>,
    ) -> Self {
        let ours = Form::default().write(&request);
        let keys = case.keys.as_ref();
        let key = keys.map(|(credentials, date)| SigningKey::derive(credentials, *date));
        Self { case, evidence, request, ours, payload, key, found: Vec::new(), candidates: 0 }
    }

    /// Asks if both sides are equal.
    pub(super) fn is_equal(&self) -> bool {
        self.fits(&self.ours)
    }

    /// Asks if a candidate fits already.
    pub(super) fn has_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// The candidates that fit, in the order of preference.
    pub(super) fn into_found(mut self) -> Vec<Found> {
        self.found.sort_by_key(|found| found.repair);
        self.found.dedup_by_key(|found| found.repair);
        self.found
    }

    /// Tries a canonical request in another form.
    pub(super) fn form(&mut self, repair: Repair, form: &Form) {
        let text = form.write(&self.request);
        self.text(repair, repair.side(), None, &text);
    }

    /// Tries another request.
    pub(super) fn request(&mut self, repair: Repair, subject: Option<&str>, request: &Request) {
        let text = Form::default().write(request);
        self.text(repair, repair.side(), subject, &text);
    }

    /// Tries another canonical request.
    pub(super) fn text(&mut self, repair: Repair, side: Side, subject: Option<&str>, text: &[u8]) {
        self.candidates += 1;
        if text != self.ours && self.fits(text) {
            let subject = subject.map(str::to_owned);
            self.found.push(Found { repair, side, subject });
        }
    }

    /// Tries another derivation of the signature.
    pub(super) fn derivation(&mut self, repair: Repair, side: Side, derivation: &Derivation<'_>) {
        self.candidates += 1;
        if self.is_signature(&derivation.sign()) {
            self.found.push(Found { repair, side, subject: None });
        }
    }

    /// Notes a repair that follows from the evidence itself.
    pub(super) fn note(&mut self, repair: Repair, subject: Option<String>) {
        self.found.push(Found { repair, side: repair.side(), subject });
    }

    fn fits(&self, text: &[u8]) -> bool {
        if let Evidence::CanonicalRequest(theirs) = self.evidence {
            return theirs == text;
        }
        let string_to_sign = string_to_sign(text);
        if self.is_string_to_sign(&string_to_sign) {
            return true;
        }
        self.key.as_ref().is_some_and(|key| {
            string_to_sign.parse().is_ok_and(|text| self.is_signature(&key.sign(&text).to_string()))
        })
    }

    /// Asks if our string to sign or signature is `digits`, which the evidence has in another case.
    pub(super) fn fits_as(&self, digits: &str) -> bool {
        let digits = digits.to_owned();
        // Of the stage that was named, if one was.
        let evidence = match self.evidence {
            Evidence::StringToSign(_) => Evidence::StringToSign(digits),
            Evidence::Signature(_) => Evidence::Signature(digits),
            _ => Evidence::Digits(digits),
        };
        let request = self.request.clone();
        Search::new(self.case, &evidence, request, None).is_equal()
    }

    /// Asks if the evidence is this string to sign.
    pub(super) fn is_string_to_sign(&self, text: &str) -> bool {
        match self.evidence {
            Evidence::StringToSign(theirs) | Evidence::Digits(theirs) => theirs == text,
            _ => false,
        }
    }

    /// Asks if the evidence is this signature.
    pub(super) fn is_signature(&self, text: &str) -> bool {
        match self.evidence {
            Evidence::Signature(theirs) | Evidence::Digits(theirs) => theirs == text,
            _ => false,
        }
    }
}

/// The string to sign of a canonical request.
pub(super) fn string_to_sign(text: &[u8]) -> String {
    PayloadHash::of(text).to_string()
}
