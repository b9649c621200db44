//! The HELP subcommand of every container: a fold over its subcommands, so that no help
//! text can disagree with what the server does.

use ochre_resp::Reply;

use super::args::Args;
use super::spec::*;
use crate::error::Error;
use crate::execute::Call;

/// The HELP subcommand of a container of this group.
pub const fn help(group: Group) -> Command {
    Command {
        summary: "Returns helpful text about the different subcommands.",
        since: "5.0.0",
        flags: Flags::LOADING.or(Flags::STALE),
        ..command("help", group, 2, Run::Session(answer))
    }
}

fn answer(call: &mut Call<'_>, args: &mut Args<'_>, out: &mut Reply) -> Outcome {
    let name = args.all()[0];
    let container = call.server.commands.find(name).ok_or(Error::Syntax)?;
    let mut subcommands: Vec<&Command> = container.command.subcommands.to_vec();
    subcommands.retain(|sub| sub.name != "help");
    subcommands.sort_by_key(|sub| sub.name);
    let mut lines = Vec::with_capacity(2 * subcommands.len());
    for sub in subcommands {
        let mut usage = sub.name.to_ascii_uppercase();
        for arg in sub.args {
            usage.push(' ');
            usage.push_str(&syntax(arg));
        }
        lines.push((usage, sub.summary));
    }
    write(&container.command.name.to_ascii_uppercase(), &lines, out);
    Ok(Flow::Done)
}

/// Writes a help page in Redis's form: a header, then each usage line with its
/// explanation indented below it.
pub fn write(name: &str, lines: &[(String, &str)], out: &mut Reply) {
    out.array(1 + 2 * lines.len() + 2);
    out.status(&format!(
        "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    ));
    for (usage, summary) in lines {
        out.status(usage);
        out.status(&format!("    {summary}"));
    }
    out.status("HELP");
    out.status("    Print this help.");
}

/// An argument as a usage line shows it: `<name>`, `TOKEN <name>`, `[optional]`, `a|b`.
pub fn syntax(arg: &Arg) -> String {
    let inner = match arg.kind {
        ArgType::PureToken => arg.token.unwrap_or(arg.name).to_owned(),
        ArgType::OneOf => {
            let parts: Vec<String> = arg.parts.iter().map(syntax).collect();
            with_token(arg, format!("({})", parts.join("|")))
        }
        ArgType::Block => {
            let parts: Vec<String> = arg.parts.iter().map(syntax).collect();
            with_token(arg, parts.join(" "))
        }
        _ => with_token(arg, format!("<{}>", arg.name)),
    };
    let repeated = if arg.multiple {
        format!("{inner} [{inner} ...]")
    } else {
        inner
    };
    if arg.optional {
        format!("[{repeated}]")
    } else {
        repeated
    }
}

fn with_token(arg: &Arg, text: String) -> String {
    match arg.token {
        Some(token) => format!("{token} {text}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_lines_show_options_and_choices() {
        const FILTER: Arg = one_of(
            "filter",
            &[string("id").after("ID").many(), token("all", "ALL")],
        )
        .opt();
        assert_eq!(syntax(&FILTER), "[(ID <id> [ID <id> ...]|ALL)]");
        const PAIR: Arg = block("pair", &[key("key"), integer("n")]);
        assert_eq!(syntax(&PAIR), "<key> <n>");
    }
}
