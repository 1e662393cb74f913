//! Real packets between network namespaces, which a link carries, delays for ever, or loses.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::forward;

/// The port of the server behind a link.
const PORT: u16 = 5432;
/// The last part of the address of this end, and of the other.
const NEAR: u8 = 1;
const FAR: u8 = 2;

/// A pair of virtual Ethernet devices, one in this process's network, the other in a namespace of its own, and behind it a server.
///
/// It belongs to a process that `netns/enter` of this crate started: it adds devices, addresses and routes to the network that
/// it finds. It ends with the process that opened it, whatever becomes of that.
#[derive(Debug)]
pub struct Link {
    number: u8,
    /// Lives in the namespace and keeps it; ends with its standard input.
    holder: Child,
    /// How often connections were forgotten.
    forgotten: AtomicU8,
}

impl Link {
    /// Opens one at whose far end [`address`](Self::address) leads on to `server`, an address of this process's network.
    ///
    /// # Errors
    ///
    /// Those of the system and of `ip`: most often, that this process may not change its network.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-ec", "ip link set lo up; echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // It says when it is in its namespace.
        let ready = holder
            .stdout
            .take()
            .map_or(Ok(0), |it| BufReader::new(it).read_line(&mut String::new()))?;
        let link = Self { number, holder, forgotten: AtomicU8::new(0) };
        if ready == 0 {
            return Err(io::Error::other("no network namespace can be made"));
        }
        let (near, far, address) = (link.near(), link.side(FAR), link.address().ip());
        here([
            format!("link add near{number} type veth peer far netns {}", link.holder.id()),
            format!("address add {near}/24 dev near{number}"),
            format!("link set near{number} up"),
        ])?;
        link.there([
            format!("address add {far}/24 dev far"),
            format!("address add {address}/32 dev lo"),
            "link set far up".to_owned(),
        ])?;
        here([format!("route add {address}/32 via {far} src {near}")])?;
        forward(link.listen()?, server, Arc::default());
        Ok(link)
    }

    /// A listener at the far end: a socket stays in the namespace in which it was made.
    fn listen(&self) -> io::Result<TcpListener> {
        let (namespace, address) = (File::open(self.namespace())?, self.address());
        let listening = thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind(address)
        });
        listening.join().unwrap_or_else(|_| Err(io::Error::other("the thread of a link panicked")))
    }

    /// Where the server is, for programs on this side.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::new(198, 19, self.number, 2), PORT).into()
    }

    /// Where this side is, for programs on the other.
    #[must_use]
    pub fn near(&self) -> IpAddr {
        self.side(NEAR)
    }

    /// An address of the link itself.
    fn side(&self, last: u8) -> IpAddr {
        Ipv4Addr::new(198, 18, self.number, last).into()
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// A command that runs `program` at the far end.
    #[must_use]
    pub fn beyond(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace())).arg(program);
        command
    }

    /// Loses every packet from now on, in both directions, without a word to either side.
    ///
    /// # Errors
    ///
    /// Those of `ip`.
    pub fn down(&self) -> io::Result<()> {
        self.there(["link set far down".to_owned()])
    }

    /// Carries packets again.
    ///
    /// # Errors
    ///
    /// Those of `ip`.
    pub fn up(&self) -> io::Result<()> {
        self.there(["link set far up".to_owned()])
    }

    /// Takes this end away, as when a cable is pulled or a laptop leaves its network: this side has no route any more.
    ///
    /// # Errors
    ///
    /// Those of `ip`.
    pub fn pull(&self) -> io::Result<()> {
        here([format!("link set near{} down", self.number)])
    }

    /// Loses whatever is sent to this side over the connections that there are. Later ones work, from another address. At most 200 times.
    ///
    /// # Errors
    ///
    /// Those of `ip`.
    pub fn forget(&self) -> io::Result<()> {
        let times = self.forgotten.fetch_add(1, Ordering::SeqCst);
        let own = |times| self.side(if times == 0 { NEAR } else { FAR + times });
        let (old, new) = (own(times), own(times + 1));
        self.there([format!("route add blackhole {old}/32")])?;
        let (address, far) = (self.address().ip(), self.side(FAR));
        here([
            format!("address add {new}/24 dev near{}", self.number),
            format!("route replace {address}/32 via {far} src {new}"),
        ])
    }

    /// Has `ip` carry out `lines` at the far end.
    fn there<const N: usize>(&self, lines: [String; N]) -> io::Result<()> {
        ip(self.beyond("ip"), &lines)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Has `ip` carry out `lines` on this side.
fn here<const N: usize>(lines: [String; N]) -> io::Result<()> {
    ip(Command::new("ip"), &lines)
}

fn ip(mut command: Command, lines: &[String]) -> io::Result<()> {
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let lines = lines.join("\n");
    if let Some(mut input) = child.stdin.take() {
        input.write_all(lines.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let problem = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(format!("ip: {lines}: {}", problem.trim())))
        }
    }
}
