//! The checks of an upgrade hold for every socket, whatever it is for.

use axum::http::Request;
use probe::{Check, Hint, serve, sign_in::the_subprotocol_is_chosen_and_not_the_token};

use super::super::{
    app, app_with,
    people::{at_least_one, config, so_many, token},
};
use crate::config::Config;

/// All the sockets that there are.
const SOCKETS: [&str; 4] =
    ["/ws/chat/rust", "/api/v1/ws", "/api/v1/ws/users", "/ws/tasks"];

fn signed_in(socket: &str, name: &str) -> String {
    format!("{socket}?token={}", token(name))
}

#[tokio::test(start_paused = true)]
async fn every_socket_asks_for_a_token() -> Check {
    let server = serve(app());

    for socket in SOCKETS {
        for path in [socket.into(), format!("{socket}?token=nonsense")] {
            let answer = server.rejects("Eve", &path, 401).await?;
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
            assert!(
                answer.body.starts_with(r#"{"message":""#),
                "{path}: {}",
                answer.body
            );
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_socket_opens_for_a_page_of_a_stranger() -> Check {
    let server = serve(app());

    for socket in SOCKETS {
        let origin = [("origin", "http://evil.example")];
        let answer =
            server.rejects_with("Eve", &signed_in(socket, "ana"), &origin, 403).await?;
        assert!(answer.body.starts_with(r#"{"message":""#), "{socket}: {}", answer.body);
        let own = [("origin", "http://127.0.0.1:8000")];
        let path = signed_in(socket, "ana");
        server.connect_with("Ana", &path, &own).await?.leaves().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_socket_chooses_the_subprotocol_and_not_the_token() -> Check {
    for socket in SOCKETS {
        the_subprotocol_is_chosen_and_not_the_token(app(), socket, &token("ana"))
            .await
            .map_err(|hint| Hint::new(format!("{socket}: {hint}")))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_socket_counts_as_a_connection_of_its_person() -> Check {
    for socket in SOCKETS {
        let max_connections_per_user = so_many(1);
        let server = serve(app_with(Config { max_connections_per_user, ..config() }));
        let _first = server.connect("Ana", &signed_in("/ws/chat/tea", "ana")).await?;

        let mut second = server.connect("Ana", &signed_in(socket, "ana")).await?;

        second
            .is_closed(1008, "too many connections of yours")
            .await
            .map_err(|hint| Hint::new(format!("{socket}: {hint}")))?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_socket_counts_as_a_connection_of_all() -> Check {
    for socket in SOCKETS {
        let server = serve(app_with(Config { max_connections: so_many(1), ..config() }));
        let first = server.connect("Ana", &signed_in(socket, "ana")).await?;

        for other in SOCKETS {
            server.rejects("Ben", &signed_in(other, "ben"), 503).await?;
        }

        first.leaves().await?;
        server.connect("Ben", &signed_in(socket, "ben")).await?.leaves().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_socket_has_the_rate_of_its_person() -> Check {
    for socket in SOCKETS {
        let server =
            serve(app_with(Config { message_burst: at_least_one(3), ..config() }));
        server.connect("Ana", &signed_in(socket, "ana")).await?.leaves().await?;

        let answer = server.rejects("Ana", &signed_in(socket, "ana"), 429).await?;

        assert_eq!(answer.headers["retry-after"], "1", "{socket} says when to try again");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_for_a_socket_that_is_no_upgrade_gets_a_sentence() -> Check {
    let server = serve(app());

    for socket in SOCKETS {
        let request = Request::get(signed_in(socket, "ana")).body(String::new());
        let request = request.map_err(|error| Hint::new(error.to_string()))?;
        let answer = server.request(request).await?;
        assert!(answer.status.is_client_error(), "{socket}: {}", answer.status);
        assert!(answer.body.starts_with(r#"{"message":""#), "{socket}: {}", answer.body);
    }
    Ok(())
}
