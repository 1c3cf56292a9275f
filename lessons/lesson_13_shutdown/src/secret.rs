//! In a debug build: a secret that outlives the program.

use std::{env, fs, fs::File, io, io::Write, path::Path, process};

use lesson_08_auth::Auth;
use tracing::warn;

/// As `Auth::from_env`. But if `JWT_SECRET` is not set, a debug build keeps one in a file.
pub fn auth(audience: &'static str) -> Result<Auth, String> {
    if !cfg!(debug_assertions) || env::var_os("JWT_SECRET").is_some() {
        return Auth::from_env(audience);
    }
    let path = env::current_exe().unwrap_or_default();
    let path = path.with_file_name(format!("{audience}.secret"));
    match read_or_create(&path) {
        Ok(secret) => {
            let origins = env::var_os("ALLOWED_ORIGINS").unwrap_or_default();
            let auth = Auth::new(&secret, audience);
            let auth = auth.map_err(|_| format!("{path:?} is too short: delete it."))?;
            auth.allow_origins(&origins.to_string_lossy())
        }
        Err(problem) => {
            warn!(?path, %problem, "no secret can be kept in a file");
            Auth::from_env(audience)
        }
    }
}

/// The secret in this file. If there is no file, it makes one that only its owner may read.
fn read_or_create(path: &Path) -> io::Result<Vec<u8>> {
    if !path.exists() {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);

        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let new = path.with_extension(process::id().to_string());
        options.open(&new)?.write_all(&secret)?;
        // It gets its name when it is whole. If another program was first, that one stays.
        let _ = fs::hard_link(&new, path);
        fs::remove_file(&new)?;
    }
    fs::read(path)
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
    fn a_file_that_is_there_stays_as_it_is() -> io::Result<()> {
        let file = Scratch::new("short");
        fs::write(&file.0, "short")?;

        assert_eq!(read_or_create(&file.0)?, b"short", "`Auth` refuses five bytes");
        assert_eq!(fs::read(&file.0)?, b"short", "it may be somebody's");
        Ok(())
    }

    #[test]
    fn where_no_file_can_be_made_there_is_a_problem_and_no_secret() {
        let path = env::temp_dir().join("no such folder").join("secret");

        let problem = read_or_create(&path).expect_err("there is no such folder");

        assert_eq!(problem.kind(), io::ErrorKind::NotFound, "{problem}");
    }
}
