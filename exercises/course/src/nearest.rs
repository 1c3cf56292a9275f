//! "Did you mean …?"

/// The word that is most like this one, or begins with it, if one is like it at all.
pub fn nearest<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |other: &str| strsim::osa_distance(&word, other);
    let (steps, best) = known.clone().map(|other| (distance(other), other)).min()?;
    // One letter in three may differ: of short words, one.
    let allowed = (best.chars().count() / 3).max(1);
    let is_begun = |other: &&str| word.chars().count() > 2 && other.starts_with(&word);
    if steps <= allowed { Some(best) } else { known.clone().find(is_begun) }
}
