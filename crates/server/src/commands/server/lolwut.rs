//! LOLWUT: a piece of generative art, and the version.

use ochre_resp::Reply;
use ochre_structures::number;

use crate::commands::args::Args;
use crate::commands::spec::*;
use crate::config::REDIS_VERSION;
use crate::execute::Call;

pub const LOLWUT: Command = Command {
    summary: "Display some computer art and the Redis version.",
    since: "5.0.0",
    complexity: "",
    flags: Flags::READONLY.or(Flags::FAST),
    args: &[integer("version").after("VERSION").opt()],
    ..command("lolwut", Group::Server, -1, Run::Session(lolwut))
};

/// The size of the picture when none is asked for, and the largest, in characters.
const USUAL: (usize, usize) = (64, 12);
const LARGEST: (usize, usize) = (200, 60);

fn lolwut(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() >= 2 && args.keyword("VERSION") {
        args.integer()?;
    }
    let size = |argument: Option<&&[u8]>, usual: usize, largest: usize| {
        argument
            .and_then(|text| number::parse_i64(text))
            .map_or(usual, |wanted| wanted.clamp(1, largest as i64) as usize)
    };
    let columns = size(args.rest().first(), USUAL.0, LARGEST.0);
    let rows = size(args.rest().get(1), USUAL.1, LARGEST.1);
    let mut picture = strata(columns, rows, &mut || call.local.random());
    picture.push_str(&format!("\nLayers of ochre. Redis ver. {REDIS_VERSION}\n"));
    out.verbatim("txt", picture.as_bytes());
    Ok(Flow::Done)
}

/// A cut through the ground: layers of earth, each with a surface of its own.
fn strata(columns: usize, rows: usize, random: &mut impl FnMut() -> u64) -> String {
    const EARTHS: [char; 6] = [' ', '.', ':', '=', '%', '#'];
    let mut surfaces: Vec<Vec<usize>> = Vec::new();
    for layer in 1..EARTHS.len() {
        let mut height = layer * rows / EARTHS.len();
        let surface = (0..columns)
            .map(|_| {
                height = match random() % 5 {
                    0 => height.saturating_sub(1),
                    1 => height + 1,
                    _ => height,
                };
                height
            })
            .collect();
        surfaces.push(surface);
    }
    let mut picture = String::with_capacity((columns + 1) * rows);
    for row in 0..rows {
        for column in 0..columns {
            let depth = surfaces
                .iter()
                .filter(|surface| surface[column] <= row)
                .count();
            picture.push(EARTHS[depth]);
        }
        picture.push('\n');
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_size_asked_for() {
        let picture = strata(7, 3, &mut || 4);
        assert_eq!(picture.lines().count(), 3);
        assert!(picture.lines().all(|line| line.chars().count() == 7));
    }
}
