//! Serves a wrong way, so that a browser can say what it thinks of it.

#[path = "02_hang_up.rs"]
mod hang_up;
#[path = "06_no_mercy.rs"]
mod no_mercy;

use std::{env, io};

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = match env::args().nth(1).as_deref() {
        Some("02_hang_up") => hang_up::app(),
        Some("06_no_mercy") => no_mercy::app(),
        other => panic!("{other:?} is neither 02_hang_up nor 06_no_mercy"),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
