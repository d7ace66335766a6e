//! nginx as a proxy that neither collects bodies nor looks at them.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Result, cores::Cores};

/// A running nginx, of one worker.
pub(crate) struct Nginx {
    child: Child,
    directory: TempDir,
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts it before an upstream, and waits until it takes connections.
    pub(crate) fn start(cores: &Cores, upstream: SocketAddr) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let path = directory.path().display().to_string();
        let configuration = directory.path().join("nginx.conf");
        fs::write(&configuration, configuration_of(&path, address, upstream))?;
        let mut command = Command::new("nginx");
        command.args(["-p", &path, "-e", "stderr", "-c"]).arg(&configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = cores
            .start(|| command.spawn())
            .map_err(|error| format!("nginx: {error}; install it"))?;
        let nginx = Self { child, directory, address };
        nginx.wait()?;
        Ok(nginx)
    }

    fn wait(&self) -> Result {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > deadline {
                let directory = self.directory.path().display();
                return Err(format!("nginx: expected it to listen, with {directory}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It fails if the process has ended, which is what is asked for. Its worker ends with it, since
        // the master is the only process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration_of(directory: &str, address: SocketAddr, upstream: SocketAddr) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {directory}/{name};\n"))
        .concat();
    format!(
        "daemon off;\n\
         master_process off;\n\
         pid {directory}/pid;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
         {temporary}\
         \x20   access_log off;\n\
         \x20   client_max_body_size 0;\n\
         \x20   keepalive_requests 1000000;\n\
         \x20   upstream up {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
         \x20   server {{\n\
         \x20       listen {address};\n\
         \x20       location / {{\n\
         \x20           proxy_pass http://up;\n\
         \x20           proxy_http_version 1.1;\n\
         \x20           proxy_set_header Connection \"\";\n\
         \x20           proxy_request_buffering off;\n\
         \x20           proxy_buffering off;\n\
         \x20       }}\n\
         \x20   }}\n\
         }}\n"
    )
}
