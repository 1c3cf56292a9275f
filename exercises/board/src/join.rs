//! How one joins: the addresses of this machine, as a learner types them, and as QR codes.

use std::{fmt::Write, net::SocketAddr};

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

/// Where the board listens.
#[derive(Clone, Copy)]
pub struct Addresses {
    listener: SocketAddr,
}

impl Addresses {
    pub fn of(listener: SocketAddr) -> Self {
        Self { listener }
    }

    /// The URLs that the others of the class can use, the most likely one first.
    ///
    /// Without any, the board works all the same, and the teacher knows the address.
    pub fn urls(self) -> Vec<String> {
        pages::urls(self.listener)
    }

    /// What a teacher needs to know on the console.
    pub fn welcome(self) -> String {
        let urls = self.urls();
        let port = self.listener.port();
        if urls.is_empty() || self.listener.ip().is_loopback() {
            return "Only this computer can join: the board listens on no address that others \
                    can reach. ADDR=0.0.0.0:8000 listens on all of them."
                .into();
        }
        let mut text = String::from("Learners join with one of these:\n");
        for url in urls {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  cargo course watch --class {url} --name ana");
        }
        text + &format!(
            "If they get no answer, the firewall of this computer has to let TCP port {port} \
             in, or the network keeps its users apart: then use another one, such as a hotspot."
        )
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    url: String,
}

/// The QR code that opens the page with the command to type.
pub async fn qr_code(
    Query(Wanted { url }): Query<Wanted>,
    State(addresses): State<Addresses>,
) -> Response {
    // Whoever scans a code of ours shall come to us.
    if !addresses.urls().contains(&url) {
        return (StatusCode::NOT_FOUND, "The board has no such address.").into_response();
    }
    match pages::qr_code(&format!("{url}/join")) {
        Ok(picture) => {
            ([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response()
        }
        Err(error) => {
            let sentence = format!("This address is too long for a QR code: {error}.");
            (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
        }
    }
}
