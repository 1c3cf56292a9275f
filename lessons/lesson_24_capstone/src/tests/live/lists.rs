//! Lists: how much one page of them can hold.

use probe::{Check, Hint, Server, serve};
use serde_json::{Value, json};

use super::{
    app, app_with,
    asking::{Reply, asks},
};
use crate::{
    config::Config,
    tests::people::{at_least_one, config},
};

/// What 100 of the longest posts may take, in bytes of JSON.
const LONGEST_PAGE: usize = 850_000;

/// A character that takes as many bytes of JSON as any that we allow.
const LONGEST: &str = "😀";

async fn adds_user(server: &Server, number: usize) -> Check {
    let user = json!({ "name": "Ana", "email": format!("{number}@example.org") });
    let reply = asks(server, "ben", "POST /users", user).await?;
    assert_eq!(reply.status, 201, "{}", reply.body);
    Ok(())
}

async fn reads(server: &Server, query: &str) -> Result<Reply, Hint> {
    asks(server, "ben", &format!("GET {query}"), Value::Null).await
}

fn length(reply: &Reply) -> Option<usize> {
    reply.body.as_array().map(Vec::len)
}

#[tokio::test(start_paused = true)]
async fn a_page_has_at_most_100_rows() -> Check {
    let server = serve(app());
    for number in 1..=101 {
        adds_user(&server, number).await?;
    }

    for (query, rows, next) in [
        ("/users", 100, Some("/users?after=100&limit=100")),
        ("/users?limit=99", 99, Some("/users?after=99&limit=99")),
        ("/users?limit=100", 100, Some("/users?after=100&limit=100")),
        ("/users?limit=101", 100, Some("/users?after=100&limit=100")),
        ("/users?limit=1000000000", 100, Some("/users?after=100&limit=100")),
        ("/users/?limit=100", 100, Some("/users/?after=100&limit=100")),
        ("/users?limit=100&after=1", 100, None),
        ("/users?after=100", 1, None),
        ("/users?after=101", 0, None),
    ] {
        let page = reads(&server, query).await?;
        let got = (length(&page), page.next.as_deref());
        assert_eq!(got, (Some(rows), next), "GET {query}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_longest_rows_has_a_bound_in_bytes() -> Check {
    let server = serve(app());
    adds_user(&server, 1).await?;
    let (title, body) = (LONGEST.repeat(100), LONGEST.repeat(2_000));
    let post = json!({ "user_id": 1, "title": title, "body": body });
    for (field, limit) in [("title", 100), ("body", 2_000)] {
        let mut longer = post.clone();
        longer[field] = json!(LONGEST.repeat(limit + 1));
        let reply = asks(&server, "ben", "POST /posts", longer).await?;
        let got = (reply.status, &reply.body["field"]);
        assert_eq!(got, (422, &json!(field)), "no {field} may be longer");
    }
    for _ in 0..101 {
        let reply = asks(&server, "ben", "POST /posts", post.clone()).await?;
        assert_eq!(reply.status, 201, "this is not too long: {}", reply.body);
    }

    let page = reads(&server, "/posts?limit=1000").await?;

    assert_eq!(length(&page), Some(100), "the list has 101");
    let size = page.body.to_string().len();
    assert!(
        size <= LONGEST_PAGE,
        "a client that does not read keeps {size} bytes of ours"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_text_holds_control_characters_but_tabs_and_line_ends() -> Check {
    let server =
        serve(app_with(Config { change_burst: at_least_one(10_000), ..config() }));
    adds_user(&server, 1).await?;
    let fields = [
        ("PATCH /users/1", "name", "a", "b"),
        ("PATCH /users/1", "email", "a", "b@example.org"),
        ("PATCH /users/1", "email", "a@b", "c.example"),
        ("PATCH /users/1", "phone", "030", "123"),
        ("POST /posts", "title", "a", "b"),
        ("POST /posts", "body", "a", "b"),
    ];

    for (what, field, before, after) in fields {
        for control in (0..=u8::MAX).map(char::from).filter(|c| c.is_control()) {
            if field == "body" && "\n\t".contains(control) {
                continue;
            }
            let mut body = match what {
                "POST /posts" => json!({ "user_id": 1, "title": "Tea", "body": "" }),
                _ => json!({}),
            };
            body[field] = json!(format!("{before}{control}{after}"));
            let reply = asks(&server, "ben", what, body).await?;
            let got = (reply.status, &reply.body["field"]);
            assert_eq!(got, (422, &json!(field)), "{what} with {control:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_keeps_its_tabs_and_line_ends() -> Check {
    let server = serve(app());
    adds_user(&server, 1).await?;
    let body = "Tea:\n\tblack\n\tgreen\n";

    let post = json!({ "user_id": 1, "title": "Tea", "body": body });
    let reply = asks(&server, "ben", "POST /posts", post).await?;

    assert_eq!((reply.status, &reply.body["body"]), (201, &json!(body)), "a list");
    Ok(())
}
