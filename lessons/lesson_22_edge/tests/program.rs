//! The program as a process of its own: what it says to a service manager, and what it reads.
#![cfg(unix)]

use std::{
    env, fs,
    io::{self, Read},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Command, id},
};

use probe::program::{LIMIT, Program};

/// The program, as somebody starts it who has set these variables, and no others.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lesson_22_edge"));
    for name in [
        "JWT_SECRET",
        "ALLOWED_ORIGINS",
        "TRUSTED_PROXIES",
        "TLS_ADDR",
        "TLS_CERT",
        "TLS_KEY",
        "HEADER_TIMEOUT",
        "REQUEST_TIMEOUT",
        "MAX_CONNECTION_AGE",
        "MAX_HTTP_CONNECTIONS",
        "BYTES_PER_SECOND",
        "NOTIFY_SOCKET",
    ] {
        program.env_remove(name);
    }
    program.envs(variables.iter().copied());
    program
}

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("edge_{name}_{}", id()));
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(LIMIT))?;
        Ok(Self { socket, path })
    }

    fn is_told(&self) -> io::Result<String> {
        let mut text = [0; 100];
        let length = self.socket.recv(&mut text)?;
        Ok(String::from_utf8_lossy(&text[..length]).into())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // Only a temporary socket.
    }
}

#[test]
fn the_service_manager_is_told_when_it_serves_and_when_it_stops() -> io::Result<()> {
    let manager = Manager::new("notify")?;
    let path = manager.path.to_string_lossy();

    let running = Program::start(program(&[("NOTIFY_SOCKET", &path)]))?;
    assert_eq!(manager.is_told()?, "READY=1", "clients may come");
    let answer = running.get("/rooms")?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "and they are served: {answer}");
    running.signal("-TERM")?;

    assert_eq!(manager.is_told()?, "STOPPING=1", "no more clients");
    assert_eq!(running.ends()?.code(), Some(0), "it has ended in good order");
    Ok(())
}

#[test]
fn a_service_manager_that_is_gone_is_no_reason_to_stop() -> io::Result<()> {
    let mut running = Program::start(program(&[("NOTIFY_SOCKET", "/nowhere/at/all")]))?;

    running.logs("the service manager was not told READY=1");
    assert!(running.get("/rooms")?.starts_with("HTTP/1.1 200 "), "it serves");
    Ok(())
}

#[test]
fn a_hangup_does_not_end_it() -> io::Result<()> {
    let manager = Manager::new("hangup")?;
    let socket = manager.path.to_string_lossy();
    for (variable, says) in [
        (("TLS_ADDR", "127.0.0.1:0"), "the old certificate stays"),
        // Behind a proxy there is no TLS, and a service manager may reload it all the same.
        (("NOTIFY_SOCKET", &*socket), "there is no certificate to read again"),
    ] {
        let mut running = Program::start(program(&[variable]))?;
        running.logs("ready");

        running.signal("-HUP")?;

        running.logs(says);
        assert!(running.get("/rooms")?.starts_with("HTTP/1.1 200 "), "it serves on");
    }
    Ok(())
}

#[test]
fn a_hangup_reads_the_files_of_the_certificate_again() -> io::Result<()> {
    let folder = env::temp_dir().join(format!("edge_reload_{}", id()));
    fs::create_dir(&folder)?;
    let made = rcgen::generate_simple_self_signed(["localhost".into()]);
    let made = made.map_err(io::Error::other)?;
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    fs::write(&cert, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let (cert, key) = (cert.to_string_lossy(), key.to_string_lossy());
    let mut running = Program::start(program(&[
        ("TLS_ADDR", "127.0.0.1:0"),
        ("TLS_CERT", &cert),
        ("TLS_KEY", &key),
    ]))?;
    running.logs("ready");

    running.signal("-HUP")?;

    running.logs("the certificate was read again");
    fs::remove_dir_all(folder)
}

#[test]
fn half_a_request_is_over_after_the_time_that_was_set() -> io::Result<()> {
    let running = Program::start(program(&[("HEADER_TIMEOUT", "1")]))?;
    let mut half = running.connect()?;

    let end = half.read(&mut [0])?;

    assert_eq!(end, 0, "the server closes it");
    Ok(())
}

#[test]
fn what_cannot_work_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let tls = ("TLS_ADDR", "127.0.0.1:0");
    let cases: [(&[_], _); 6] = [
        (
            &[("TRUSTED_PROXIES", "proxy")],
            "TRUSTED_PROXIES has \"proxy\", but should have IP addresses.\n",
        ),
        (
            &[("HEADER_TIMEOUT", "0")],
            "HEADER_TIMEOUT is \"0\", but should be a number from 1 on.\n",
        ),
        (
            &[("MAX_HTTP_CONNECTIONS", "many")],
            "MAX_HTTP_CONNECTIONS is \"many\", but should be a number from 1 on.\n",
        ),
        (
            &[tls, ("TLS_CERT", "a.pem")],
            "TLS_CERT and TLS_KEY belong together: set both, or none.\n",
        ),
        (&[tls, ("TLS_CERT", "/no/a.pem"), ("TLS_KEY", "/no/b.pem")], "/no/a.pem: "),
        (&[("TLS_ADDR", "8443")], "TLS_ADDR is \"8443\", and cannot be had: "),
    ];
    for (variables, sentence) in cases {
        let output = program(variables).env("ADDR", "127.0.0.1:0").output()?;

        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with(sentence), "it should say {sentence:?}, not {said:?}");
        assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    }
    Ok(())
}
