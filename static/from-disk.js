// Has somebody opened this page from the disk? Then nothing on it works: there is no server,
// and browsers load no modules from there. This script is no module, so it can say so.

if (location.protocol === "file:") {
  document.addEventListener("DOMContentLoaded", () => {
    const page = location.pathname.split("/").pop();
    const program = document.querySelector("meta[name=package]")?.content;
    const start = program ? `cargo run -p ${program}` : "cargo run -p lesson_01_echo";

    const command = document.createElement("pre");
    command.textContent = start;
    const link = document.createElement("a");
    link.href = `http://127.0.0.1:8000/${page}`;
    link.textContent = link.href;
    const problem = document.createElement("section");
    problem.append(
      "This page was opened from the disk, so there is no server that it could talk to. Start the server, ",
      command,
      "and open ",
      link,
      ".",
    );
    document.querySelector("main").replaceChildren(problem);
  });
}
