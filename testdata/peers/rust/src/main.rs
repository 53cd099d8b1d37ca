// SPDX-License-Identifier: Apache-2.0

//! Serves a few agent methods with the Rust `ttrpc` crate on the unix socket named by the first argument, until stdin
//! ends. It is not kata's agent: it is here because that one links the same crate, which encodes replies and refuses
//! requests in another way than Go does. A parked GetOOMEvent that is given up shows as a line {"event":"dropped"}.

use std::collections::HashMap;
use std::io::Read;

use async_trait::async_trait;
use ttrpc::r#async::{MethodHandler, Server, Service, TtrpcContext};
use ttrpc::{get_status, Code, Request, Response, Result};

struct Agent {
    method: &'static str,
}

struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        println!("{{\"event\":\"dropped\"}}");
    }
}

#[async_trait]
impl MethodHandler for Agent {
    async fn handler(&self, _: TtrpcContext, request: Request) -> Result<Response> {
        match self.method {
            "Check" => Ok(reply(vec![0x08, 0x01])),
            "SetPolicy" => Ok(reply(Vec::new())),
            "GetDiagnosticData" => Ok(match wanted_bytes(&request.payload) {
                Some(size) => reply(text_field(size)),
                None => refusal(Code::INVALID_ARGUMENT, "not a number"),
            }),
            "GetOOMEvent" => {
                let _parked = Parked;
                println!("{{\"event\":\"parked\"}}");
                std::future::pending().await
            }
            _ => Ok(refusal(Code::NOT_FOUND, "no such process")),
        }
    }
}

/// An error status in a reply, as the crate's generated code sends it; a handler's Err would become UNKNOWN.
fn refusal(code: Code, message: &str) -> Response {
    let mut response = Response::new();
    response.set_status(get_status(code, message));
    response
}

/// What the crate's generated code sends: a status even when all is well.
fn reply(payload: Vec<u8>) -> Response {
    let mut response = Response::new();
    response.set_status(get_status(Code::OK, ""));
    response.payload = payload;
    response
}

/// Reads the number in field 1, a text of less than 128 bytes.
fn wanted_bytes(payload: &[u8]) -> Option<usize> {
    let text = payload.strip_prefix(&[0x0a])?.get(1..)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Field 1 with a text of `size` bytes.
fn text_field(size: usize) -> Vec<u8> {
    let mut field = vec![0x0a];
    let mut rest = size;
    while rest >= 0x80 {
        field.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field.resize(field.len() + size, b'd');
    field
}

fn service(methods: &[&'static str]) -> Service {
    let methods = methods
        .iter()
        .map(|method| {
            (
                method.to_string(),
                Box::new(Agent { method }) as Box<dyn MethodHandler + Send + Sync>,
            )
        })
        .collect();
    Service {
        methods,
        streams: HashMap::new(),
    }
}

#[tokio::main]
async fn main() {
    let socket = std::env::args().nth(1).expect("usage: peers SOCKET");
    let services = HashMap::from([
        ("grpc.Health".to_string(), service(&["Check"])),
        (
            "grpc.AgentService".to_string(),
            service(&[
                "SetPolicy",
                "GetDiagnosticData",
                "GetOOMEvent",
                "WaitProcess",
            ]),
        ),
    ]);
    let mut server = Server::new()
        .bind(&format!("unix://{socket}"))
        .expect("bind")
        .register_service(services);
    server.start().await.expect("start");
    println!("{{\"event\":\"ready\"}}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .ok();
    std::process::exit(0);
}
