//! Names that Kustomize generates: a hash of what an object holds is hung on them.

/// The letters of such a hash, of which there are ten.
const LETTERS: &str = "bcdfghkmt2456789";

/// Whether a text is a hash as Kustomize hangs it on a name.
pub fn is_kustomize_hash(text: &str) -> bool {
    text.len() == 10 && text.chars().all(|letter| LETTERS.contains(letter))
}
