//! Makes the line of `src/auth/users.txt` for one more person.
//!
//! Run: cargo run --example password -- dana user
//!
//! It asks for the password of Dana, who becomes a user. The other role is operator.

use std::{env, io};

use argon2::{Argon2, PasswordHasher};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, role] = &arguments[..] else {
        pages::quit("Say name and role: cargo run --example password -- dana user");
    };
    let name = name.trim().to_lowercase(); // As somebody who signs in may write it.
    if role != "user" && role != "operator" {
        pages::quit(format!("The role is {role:?}, but should be user or operator."));
    }

    eprintln!("The password of {name}, and Enter:");
    let mut password = String::new();
    if let Err(error) = io::stdin().read_line(&mut password) {
        pages::quit(format!("There is no password to read: {error}."));
    }
    let password = password.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        pages::quit("An empty password protects nobody.");
    }
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => println!("{name}:{role}:{hash}"),
        Err(error) => pages::quit(format!("The password cannot be hashed: {error}.")),
    }
}
