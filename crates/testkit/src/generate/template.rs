//! The little language in which families describe commands.
//!
//! ```text
//! SET skey value {[NX|XX] [GET] [EX seconds|PX millis|KEEPTTL]}
//! ```
//! | text | generates |
//! | --- | --- |
//! | `WORD`, `123`, anything that is no kind | itself |
//! | `kind` (lower case) | an argument of that kind, see [`super::kinds`] |
//! | `[a b\|c]` | one of the alternatives, or nothing |
//! | `(a b\|c)` | one of the alternatives |
//! | `{a [b] c}` | all of it, in a random order |
//! | `x+`, `(a b)+` | one to four of it |
//! | `x*130` | about so many of it |
//! | `5 SET …` | a weight, 3 when there is none |
//! | `! CONFIG …` | never mutated |

use super::Generator;
use super::kinds::{Kind, kind};
use crate::differential::Command;

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    /// How often it is chosen, relative to the others of its family.
    pub weight: usize,
    /// Whether mistakes may be made in it on purpose.
    pub mutable: bool,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(Vec<u8>),
    Kind(Kind),
    /// One of these sequences; `optional` adds "or none".
    Choice {
        optional: bool,
        alternatives: Vec<Vec<Part>>,
    },
    Shuffled(Vec<Part>),
    Repeated(Box<Part>, Times),
}

#[derive(Debug, Clone, Copy)]
enum Times {
    Few,
    About(usize),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut text = text.trim();
        let mut template = Template {
            weight: 3,
            mutable: true,
            parts: Vec::new(),
        };
        if let Some(rest) = text.strip_prefix('!') {
            template.mutable = false;
            text = rest.trim_start();
        }
        if let Some((weight, rest)) = text.split_once(' ')
            && let Ok(weight) = weight.parse()
        {
            template.weight = weight;
            text = rest;
        }
        let tokens = tokens(text);
        let mut at = 0;
        let mut alternatives =
            sequence(&tokens, &mut at).map_err(|what| format!("{what} in: {text}"))?;
        if at != tokens.len() || alternatives.len() != 1 {
            return Err(format!(
                "an unexpected '{}' in: {text}",
                tokens.get(at).map_or("|", String::as_str)
            ));
        }
        template.parts = alternatives.remove(0);
        Ok(template)
    }

    /// One command.
    pub fn fill(&self, generator: &mut Generator) -> Command {
        let mut command = Vec::new();
        for part in &self.parts {
            part.fill(generator, &mut command);
        }
        command
    }
}

impl Part {
    fn fill(&self, generator: &mut Generator, into: &mut Command) {
        match self {
            Part::Literal(text) => into.push(generator.cased(text)),
            Part::Kind(kind) => kind(generator, into),
            Part::Choice {
                optional,
                alternatives,
            } => {
                if *optional && generator.rng.chance(55) {
                    return;
                }
                let chosen = generator.rng.below(alternatives.len());
                alternatives[chosen]
                    .iter()
                    .for_each(|part| part.fill(generator, into));
            }
            Part::Shuffled(parts) => {
                let mut order: Vec<&Part> = parts.iter().collect();
                if generator.rng.chance(60) {
                    generator.rng.shuffle(&mut order);
                }
                order
                    .into_iter()
                    .for_each(|part| part.fill(generator, into));
            }
            Part::Repeated(part, times) => {
                let times = match times {
                    Times::Few if generator.rng.chance(50) => 1,
                    Times::Few => generator.rng.between(2, 4) as usize,
                    Times::About(times) => times - 2 + generator.rng.below(5),
                };
                for _ in 0..times {
                    part.fill(generator, into);
                }
            }
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut current = String::new();
        for c in word.chars() {
            if "[](){}|".contains(c) {
                tokens.extend(Some(std::mem::take(&mut current)).filter(|token| !token.is_empty()));
                tokens.push(c.to_string());
            } else {
                current.push(c);
            }
        }
        tokens.extend(Some(current).filter(|token| !token.is_empty()));
    }
    tokens
}

/// Alternatives of sequences, up to a closing bracket or the end.
fn sequence(tokens: &[String], at: &mut usize) -> Result<Vec<Vec<Part>>, String> {
    let mut alternatives = vec![Vec::new()];
    while let Some(token) = tokens.get(*at) {
        let part = match token.as_str() {
            "]" | ")" | "}" => break,
            "|" => {
                *at += 1;
                alternatives.push(Vec::new());
                continue;
            }
            open @ ("[" | "(" | "{") => {
                *at += 1;
                let inner = sequence(tokens, at)?;
                let close = match open {
                    "[" => "]",
                    "(" => ")",
                    _ => "}",
                };
                if tokens.get(*at).map(String::as_str) != Some(close) {
                    return Err(format!("{open} without {close}"));
                }
                match open {
                    "{" => Part::Shuffled(inner.into_iter().flatten().collect()),
                    _ => Part::Choice {
                        optional: open == "[",
                        alternatives: inner,
                    },
                }
            }
            word => atom(word)?,
        };
        *at += 1;
        // A repetition mark may stand apart from the bracket before it.
        let part = match tokens.get(*at).and_then(|token| repetition(token)) {
            Some(times) => {
                *at += 1;
                Part::Repeated(Box::new(part), times)
            }
            None => part,
        };
        if let Some(last) = alternatives.last_mut() {
            last.push(part);
        }
    }
    Ok(alternatives)
}

fn repetition(mark: &str) -> Option<Times> {
    match mark.strip_prefix('*') {
        Some(times) => times
            .parse()
            .ok()
            .filter(|times| *times > 2)
            .map(Times::About),
        None => (mark == "+").then_some(Times::Few),
    }
}

fn atom(word: &str) -> Result<Part, String> {
    let split = word
        .find(['+', '*'])
        .filter(|&at| at > 0 && repetition(&word[at..]).is_some());
    if let Some(at) = split
        && let Some(times) = repetition(&word[at..])
    {
        return Ok(Part::Repeated(Box::new(atom(&word[..at])?), times));
    }
    if word.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return match kind(word) {
            Some(kind) => Ok(Part::Kind(kind)),
            None => Err(format!("no kind of argument is named {word}")),
        };
    }
    Ok(Part::Literal(word.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::words;

    fn filled(text: &str, seed: u64) -> String {
        let template = Template::parse(text).expect("valid");
        words(&template.fill(&mut Generator::plain(seed)))
    }

    #[test]
    fn literals_choices_and_repetitions() {
        assert_eq!(filled("GET A 1", 1), "GET A 1");
        let drawn: Vec<String> = (0..40).map(|seed| filled("X (A|B C) [D]", seed)).collect();
        for wanted in ["X A", "X A D", "X B C", "X B C D"] {
            assert!(drawn.iter().any(|line| line == wanted), "{wanted}");
        }
        assert!(
            drawn
                .iter()
                .all(|line| ["X A", "X A D", "X B C", "X B C D"].contains(&line.as_str()))
        );
        let longest = (0..40)
            .map(|seed| filled("X (A B)+", seed).split(' ').count())
            .max();
        assert_eq!(longest, Some(9));
        assert!((0..40).any(|seed| filled("X {A B}", seed) == "X B A"));
        assert!((129..=133).contains(&filled("X A*130", 3).split(' ').count()));
    }

    #[test]
    fn weights_and_marks() {
        let template = Template::parse("! 9 CONFIG GET *").expect("valid");
        assert_eq!((template.weight, template.mutable), (9, false));
        assert!(Template::parse("GET nosuchkind").is_err());
        assert!(Template::parse("GET [A").is_err());
        assert!(Template::parse("GET A]").is_err());
    }
}
