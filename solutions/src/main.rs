use std::io;

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = pages::listen().await;

    axum::serve(listener, solutions::app()).await
}
