"""What copies of the workspace need, so that crates of others are compiled once.

Cargo compiles a crate anew for each set of its features, and chooses this set by the packages
that a command names: `cargo test -p lesson_04_path_params` has less of axum than `cargo test`.
In a copy, each package depends on one more, `all_features`. It has no code, and asks for all
features that any of our packages asks for. So a copy finds what `cargo test` has compiled.

That each program compiles by itself, with the features that it asks for, .ci/commands finds
out, and with --nightly that its tests do.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib

NAME = "all_features"


def manifest_in_copy(file, text, copy):
    """A Cargo.toml of the workspace, as the copy has it."""
    if file == "Cargo.toml":
        return text.replace("members = [", f'members = ["{NAME}", ', 1)
    line = f"[dependencies]\n{NAME}.path = {json.dumps(str(copy / NAME))}\n"
    return re.sub(r"^\[dependencies\]\n", lambda _: line, text, count=1, flags=re.M)


def write_all_features(root, copy):
    """Writes the package into the copy."""
    workspace = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]
    wanted = {}
    for member in workspace["members"]:
        for manifest in root.glob(f"{member}/Cargo.toml"):
            for table, name, features in dependencies(tomllib.loads(manifest.read_text())):
                if "path" not in workspace["dependencies"][name]:
                    wanted.setdefault(table, {}).setdefault(name, set()).update(features)

    lines = ["[package]", f'name = "{NAME}"', 'version = "0.1.0"', 'edition = "2024"', ""]
    lines += ["[lib]", "test = false", "doctest = false", ""]
    for table, names in sorted(wanted.items()):
        lines.append(f"[{table}]")
        for name, features in sorted(names.items()):
            lines.append(f"{name} = {{ workspace = true, features = {json.dumps(sorted(features))} }}")
        lines.append("")
    for file, text in {"src/lib.rs": "", "Cargo.toml": "\n".join(lines)}.items():
        path = copy / NAME / file
        # A file that is the same keeps its time, and nothing is compiled again.
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def dependencies(manifest):
    """Where each dependency must stand, its name, and the features that it is asked for."""
    places = {"": manifest, **{f"target.'{t}'.": its for t, its in manifest.get("target", {}).items()}}
    for place, tables in places.items():
        for kind in ("dependencies", "dev-dependencies"):
            for name, entry in tables.get(kind, {}).items():
                yield f"{place}dependencies", name, entry.get("features", [])


def tracked_files(root):
    """The files of a repository that git knows, or could know."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout
    return [file for file in listed.split("\0") if file and (root / file).is_file()]


def copy_file(root, file, copy, change=lambda file, manifest: manifest):
    """Gives a copy this file as it has to be there. One that is so already keeps its time.

    `change` says what else becomes of a Cargo.toml."""
    data = (root / file).read_bytes()
    target = copy / file
    if target.name == "Cargo.toml":
        data = change(file, manifest_in_copy(file, data.decode(), copy)).encode()
    if not target.exists() or target.read_bytes() != data:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def link_compiled(old, new):
    """Gives a new target folder what another one has, as links: they take no time and no room."""

    def link(file, copy):
        try:
            os.link(file, copy)
        except FileNotFoundError:
            pass  # Somebody compiles meanwhile, and it was temporary.

    if new.exists():
        return
    for folder in (".fingerprint", "build", "deps"):
        if (old / "debug" / folder).exists():
            shutil.copytree(old / "debug" / folder, new / "debug" / folder, copy_function=link)
