//! The words of one field and what each means: exact tables, ASCII case aside.

use super::field::Field;

/// A field, and what its words mean.
#[derive(Clone, Debug)]
pub struct Words<T> {
    /// Where the word is.
    pub field: Field,
    words: Vec<(String, T)>,
}

impl<T> Default for Words<T> {
    fn default() -> Self {
        Self { field: Field::new(), words: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Words<T> {
    /// What `word` means.
    pub fn of(&self, word: &str) -> Option<T> {
        self.words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
    }

    /// Whether no word was given a meaning.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Gives `word` a meaning.
    ///
    /// # Errors
    /// The other meaning that it has already.
    pub fn add(&mut self, word: impl Into<String>, meaning: T) -> Result<(), T> {
        let word = word.into();
        match self.of(&word) {
            Some(other) if other != meaning => Err(other),
            Some(_) => Ok(()),
            None => {
                self.words.push((word, meaning));
                Ok(())
            }
        }
    }
}
