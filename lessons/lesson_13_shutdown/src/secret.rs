//! In a debug build: a secret that outlives the program.

use std::{env, fs, fs::File, io, io::Write, path::Path};

use lesson_08_auth::Auth;
use tracing::warn;

/// As `Auth::from_env`. But a debug build without `JWT_SECRET` keeps its secret in a file
/// beside the program, so that tokens are valid after a restart.
pub fn auth(audience: &'static str) -> Result<Auth, String> {
    if !cfg!(debug_assertions) || env::var_os("JWT_SECRET").is_some() {
        return Auth::from_env(audience);
    }
    let name = format!("{audience}.secret");
    let path = env::current_exe().map(|program| program.with_file_name(name));
    match path.and_then(|path| read_or_create(&path)) {
        Ok(secret) => {
            let origins = env::var_os("ALLOWED_ORIGINS").unwrap_or_default();
            Auth::new(&secret, audience)?.allow_origins(&origins.to_string_lossy())
        }
        Err(problem) => {
            warn!(%problem, "no secret can be kept in a file");
            Auth::from_env(audience)
        }
    }
}

/// The secret in this file. If there is no file, it makes one that only its owner may read.
fn read_or_create(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);

    if let Ok(mut file) = options.open(path) {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        file.write_all(&secret)?;
    }
    let named = |problem| io::Error::other(format!("{}: {problem}", path.display()));
    let secret = fs::read(path).map_err(|error| named(error.to_string()))?;
    if secret.len() < 32 {
        return Err(named(format!("it has {} bytes: delete it", secret.len())));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file of a test, which is removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("lesson_13_{name}_{}", std::process::id());
            Self(env::temp_dir().join(name))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0); // Or the test has not made it.
        }
    }

    #[test]
    fn a_secret_is_made_once_and_kept() -> io::Result<()> {
        let (file, other) = (Scratch::new("kept"), Scratch::new("other"));

        let first = read_or_create(&file.0)?;

        assert_eq!(first.len(), 32, "it is long enough to sign with");
        assert_eq!(read_or_create(&file.0)?, first, "the next start has the same one");
        assert_ne!(read_or_create(&other.0)?, first, "it is random");
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_the_file() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let file = Scratch::new("mode");

        read_or_create(&file.0)?;

        let mode = fs::metadata(&file.0)?.permissions().mode() & 0o777;
        assert_eq!(format!("{mode:o}"), "600", "it is a secret");
        Ok(())
    }

    #[test]
    fn a_short_file_is_no_secret_and_stays_as_it_is() -> io::Result<()> {
        let file = Scratch::new("short");
        fs::write(&file.0, "short")?;

        let problem = read_or_create(&file.0).expect_err("five bytes can be guessed");

        let expected = format!("{}: it has 5 bytes: delete it", file.0.display());
        assert_eq!(problem.to_string(), expected, "it says what to do");
        assert_eq!(fs::read(&file.0)?, b"short", "it may be somebody's");
        Ok(())
    }

    #[test]
    fn where_no_file_can_be_made_there_is_a_problem_and_no_secret() {
        let path = env::temp_dir().join("no such folder").join("secret");

        let problem = read_or_create(&path).expect_err("there is no such folder");

        let problem = problem.to_string();
        let expected = path.display().to_string();
        assert!(problem.starts_with(&expected), "it names the file: {problem}");
    }
}
