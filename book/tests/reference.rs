//! Tables of the reference that must be complete, and in order.

use book::{Fault, read};

/// The first cell of each row of a page's table, with its line. Without heads and rules.
fn first_cells(page: &str) -> Vec<(usize, String)> {
    let text = read(page).expect("the page is there");
    let mut cells = Vec::new();
    let mut in_table = false;
    for (i, line) in text.lines().enumerate() {
        let cell = line.strip_prefix("| ").and_then(|row| row.split(" |").next());
        match cell {
            Some(cell) if in_table => cells.push((i + 1, cell.to_owned())),
            _ => in_table = line.starts_with("|---"),
        }
    }
    cells
}

/// How a term is sorted: a reader does not look at capitals, nor at what is code.
fn sorted_as(term: &str) -> String {
    term.replace('`', "").to_lowercase()
}

fn fault(file: &str, line: usize, sentence: String) -> String {
    Fault { file: file.into(), line, sentence }.to_string()
}

#[test]
fn the_glossary_is_in_order_and_has_each_term_once() {
    let page = "book/src/reference/glossary.md";
    let terms = first_cells(page);

    let faults: Vec<String> = terms
        .windows(2)
        .filter(|pair| sorted_as(&pair[0].1) >= sorted_as(&pair[1].1))
        .map(|pair| {
            let sentence = format!("“{}” stands after “{}”.", pair[1].1, pair[0].1);
            fault(page, pair[1].0, sentence)
        })
        .collect();

    assert!(terms.len() > 100, "{page} has {} terms, there were more", terms.len());
    assert_eq!(faults, Vec::<String>::new(), "the alphabet decides where a term stands");
}

/// What the registry of IANA has, 1004 apart, which is reserved.
const REGISTERED: [u16; 18] = [
    1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    1015, 3000, 3003, 3008,
];

#[test]
fn every_close_code_is_explained_once_and_in_order() {
    let page = "book/src/reference/close-codes.md";
    let codes: Vec<(usize, u16)> = first_cells(page)
        .into_iter()
        .filter_map(|(line, cell)| Some((line, cell.parse().ok()?)))
        .collect();
    // The pages of the course know what our own codes mean.
    let meanings = read("static/close-codes.js").expect("the pages explain the codes");
    let ours = meanings.lines().filter_map(|line| line.trim().split(':').next());
    let ours = ours.filter_map(|code| code.parse::<u16>().ok());

    let mut faults: Vec<String> = codes
        .windows(2)
        .filter(|pair| pair[0].1 >= pair[1].1)
        .map(|pair| fault(page, pair[1].0, format!("{} comes too late.", pair[1].1)))
        .collect();
    for code in REGISTERED.into_iter().chain(ours) {
        if !codes.iter().any(|(_, known)| *known == code) {
            faults.push(fault(page, 1, format!("{code} is missing.")));
        }
    }

    assert_eq!(faults, Vec::<String>::new(), "a reader looks a code up by its number");
}
