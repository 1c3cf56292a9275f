//! Serves a wrong way, so that a browser can try it.

#[path = "06_disconnect_on_error.rs"]
mod disconnect_on_error;
#[path = "02_return_on_close.rs"]
mod return_on_close;

use std::{env, io};

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = match env::args().nth(1).as_deref() {
        Some("02_return_on_close") => return_on_close::app(),
        Some("06_disconnect_on_error") => disconnect_on_error::app(),
        other => {
            panic!("{other:?} is neither 02_return_on_close nor 06_disconnect_on_error")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
