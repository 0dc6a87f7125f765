//! What to type to run this program again.

use crate::show;
use std::ffi::OsStr;
use std::path::Path;

const NAME: &str = "tfcoord";

/// This process's own name: as it was typed, or the bare name where the shell finds this program by it.
pub fn read() -> String {
    let typed = std::env::args().next().unwrap_or_else(|| NAME.to_owned());
    name(&typed, std::env::current_exe().ok().as_deref(), std::env::var_os("PATH").as_deref())
}

fn name(typed: &str, own: Option<&Path>, path: Option<&OsStr>) -> String {
    let own = own.and_then(|own| own.canonicalize().ok());
    let first = path.into_iter().flat_map(std::env::split_paths).map(|dir| dir.join(NAME)).find(|file| file.is_file());
    let found = first.and_then(|file| file.canonicalize().ok()).is_some_and(|file| Some(file) == own);
    if found { NAME.to_owned() } else { show::quoted(typed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_name_is_used_where_it_means_this_program() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (dir.path().join("own"), dir.path().join("other"));
        for dir in [&own, &other] {
            std::fs::create_dir(dir).unwrap();
            std::fs::write(dir.join(NAME), "").unwrap();
        }
        let file = own.join(NAME);
        let name = |typed, path: &[&Path]| name(typed, Some(&file), Some(&std::env::join_paths(path).unwrap()));
        assert_eq!(name("target/release/tfcoord", &[&own, &other]), "tfcoord");
        assert_eq!(name("target/release/tfcoord", &[&other, &own]), "target/release/tfcoord");
        assert_eq!(name("target/release/tfcoord", &[]), "target/release/tfcoord");
        assert_eq!(name("./my build/tfcoord", &[]), "'./my build/tfcoord'");
    }
}
