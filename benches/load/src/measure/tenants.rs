//! Signing by hash beside tokens, and many access keys and callers beside one.

use std::{
    fmt::Write,
    fs,
    ops::Bound::{Included, Unbounded},
    path::Path,
};

use tempfile::TempDir;

use crate::{
    Result, Setup, figure,
    load::Load,
    measure::median,
    process::Server,
    programs,
    request::{HeadRequests, Tenants, TokenRequests},
};

/// The bytes of a body of `/token`.
const BODY: u64 = 1024;

#[derive(clap::Args)]
pub(crate) struct TenantsOptions {
    /// The number of connections
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: u16,
    /// The number of access keys, beside one
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    access_keys: usize,
    /// The number of callers, beside one
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    callers: usize,
}

/// The rates of the rounds, in requests a second.
#[derive(Default)]
struct Rates {
    tokens: Vec<f64>,
    heads: Vec<f64>,
    many: Vec<f64>,
}

impl TenantsOptions {
    /// A service with one access key and one caller, and one with many, in turns.
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let few = Tenants { access_keys: 1, callers: 1 };
        let many = Tenants { access_keys: self.access_keys, callers: self.callers };
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let (one, all) = (start(setup, &folders[0], few)?, start(setup, &folders[1], many)?);
        let mut rates = Rates::default();
        for _ in 0..setup.rounds {
            rates.tokens.push(self.tokens(setup, &one, few)?);
            rates.heads.push(self.heads(setup, &one, few)?);
            rates.many.push(self.heads(setup, &all, many)?);
        }
        let [tokens, heads, many] =
            [rates.tokens, rates.heads, rates.many].map(|rates| median(rates.into_iter()));
        figure::print("service/tenants/token/1KiB", tokens, &(..), "a second");
        figure::print("service/tenants/sign", heads, &(..), "a second, by hash");
        figure::print("service/tenants/sign/many", many, &(..), "a second, by hash");
        let target = (Included(0.8), Unbounded);
        let note = "signing by hash, as a multiple of tokens of 1 KiB";
        figure::print("service/tenants/sign/token", heads / tokens, &target, note);
        let target = (Included(0.95), Unbounded);
        let note = "with many access keys and callers, as a multiple of one of each";
        figure::print("service/tenants/many/one", many / heads, &target, note);
        one.stop()?;
        all.stop()?;
        Ok(())
    }

    fn tokens(&self, setup: &Setup, server: &Server, tenants: Tenants) -> Result<f64> {
        let requests = TokenRequests::of_callers(server.address, BODY, tenants)?;
        self.measure(setup, server, |number| requests.request(number))
    }

    fn heads(&self, setup: &Setup, server: &Server, tenants: Tenants) -> Result<f64> {
        let requests = HeadRequests { address: server.address, tenants };
        self.measure(setup, server, |number| requests.request(number))
    }

    fn measure(
        &self,
        setup: &Setup,
        server: &Server,
        request: impl Fn(usize) -> crate::request::Request + Sync,
    ) -> Result<f64> {
        let (_, cores) = setup.cores.split(1);
        let connections = usize::from(self.connections);
        let load = Load::full(server.address, &cores, connections, setup.duration);
        let warm_up = Load { connections: 4, requests: Some(2), ..load.clone() };
        warm_up.run(&request)?.check()?;
        let results = load.run(&request)?.check()?;
        match results.not_right() {
            0 => Ok(results.rate()),
            wrong => Err(format!("{wrong} requests were not answered as expected").into()),
        }
    }
}

fn start(setup: &Setup, folder: &TempDir, tenants: Tenants) -> Result<Server> {
    let (mut secrets, mut callers) = (String::new(), String::new());
    for number in 0..tenants.access_keys {
        let name = Tenants::access_key(number);
        writeln!(secrets, "'{name}' = ['the secret of {name}']")?;
    }
    for number in 0..tenants.callers {
        let token = Tenants::token(number);
        let members = "path_prefixes = ['/files']\nhosts = ['files.example.org']";
        writeln!(callers, "[caller-{number}]\ntokens = ['{token}']\n{members}")?;
    }
    let secrets = write(folder, "secrets.toml", &secrets)?;
    let callers = write(folder, "callers.toml", &callers)?;
    let options = ["--threads", "1", "--secrets", &secrets, "--callers", &callers];
    programs::serve(&setup.framesign, &setup.cores.split(1).0, &options)
}

fn write(folder: &TempDir, name: &str, text: &str) -> Result<String> {
    let path = folder.path().join(name);
    fs::write(&path, text)?;
    let path = Path::to_str(&path).ok_or("expected a temporary folder with a name in UTF-8")?;
    Ok(path.to_owned())
}
