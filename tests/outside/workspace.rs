//! A workspace with one service principal and one endpoint, on nothing but the standard library.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::stage::{CLIENT, HOST};

pub struct Workspace {
    pub url: String,
}

const BEARER: &str = "workspace-token";

impl Workspace {
    /// Serves until the process ends.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(|| drop(serve(stream)));
            }
        });
        Ok(Self { url })
    }
}

/// Answers requests on one connection until the client closes it.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let start = line.trim().to_owned();
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "authorization" => authorization = value.trim().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, json) = answer(&start, &authorization, &String::from_utf8_lossy(&body));
        let length = json.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
        )?;
    }
}

fn answer(start: &str, authorization: &str, body: &str) -> (&'static str, String) {
    let endpoint = format!(
        r#"{{"name":"projects/outside/branches/main/endpoints/rw","status":{{"endpoint_type":"ENDPOINT_TYPE_READ_WRITE",
            "current_state":"ACTIVE","hosts":{{"host":"{HOST}"}}}}}}"#
    );
    let mut words = start.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let bearer = authorization.strip_prefix("Bearer ");
    match (method, target.split('?').next().unwrap_or("")) {
        ("POST", "/oidc/v1/token") if body.contains("grant_type=client_credentials") => {
            if !authorization.starts_with("Basic ") {
                return ("401 Unauthorized", r#"{"error":"invalid_client"}"#.into());
            }
            let token =
                format!(r#"{{"access_token":"{BEARER}","token_type":"Bearer","expires_in":3600}}"#);
            ("200 OK", token)
        }
        _ if bearer != Some(BEARER) => {
            ("401 Unauthorized", r#"{"error_code":"UNAUTHENTICATED"}"#.into())
        }
        ("GET", "/api/2.0/postgres/projects/outside/branches/main/endpoints/rw") => {
            ("200 OK", endpoint)
        }
        ("GET", "/api/2.0/postgres/projects/outside/branches/main/endpoints") => {
            ("200 OK", format!(r#"{{"endpoints":[{endpoint}]}}"#))
        }
        ("POST", "/api/2.0/postgres/credentials")
            if body.contains("projects/outside/branches/main/endpoints/rw") =>
        {
            let token = CLIENT[2];
            ("200 OK", format!(r#"{{"token":"{token}","expire_time":"2099-01-01T00:00:00Z"}}"#))
        }
        ("GET", "/api/2.0/preview/scim/v2/Me") => {
            ("200 OK", format!(r#"{{"userName":"{}"}}"#, CLIENT[0]))
        }
        _ => ("404 Not Found", r#"{"error_code":"NOT_FOUND","message":"nothing here"}"#.into()),
    }
}
