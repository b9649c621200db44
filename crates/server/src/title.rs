//! The process's title, by `proc-title-template`.

use std::path::{Path, PathBuf};

use ochre_crash::Title;

use crate::config::Config;

/// What the title is made of besides the configuration, and where it is shown.
#[derive(Debug)]
pub struct ProcessTitle {
    /// The name that the program was called by.
    program: String,
    config_file: Option<PathBuf>,
    shown: Title,
}

impl ProcessTitle {
    /// Takes the place where the arguments are, which are lost: to be called while there
    /// is one thread. `None` where titles are off (`set-proc-title`), or cannot be.
    pub fn claim(config: &Config, program: &str, config_file: Option<&Path>) -> Option<Self> {
        if !config.process.set_title {
            return None;
        }
        let mut title = Self {
            program: program.to_owned(),
            config_file: config_file.map(Path::to_owned),
            shown: Title::claim()?,
        };
        title.show(config);
        Some(title)
    }

    /// Shows what the configuration says now.
    pub fn show(&mut self, config: &Config) {
        let text = text(config, &self.program, self.config_file.as_deref());
        self.shown.set(&text);
    }
}

/// The template with its variables filled in, without spaces around.
fn text(config: &Config, program: &str, config_file: Option<&Path>) -> String {
    let network = &config.network;
    let (port, tls_port) = (network.port, config.tls.port);
    let socket = network.unix_socket.as_str();
    let fill = |name: &str| match name {
        "title" => program.to_owned(),
        "listen-addr" if port > 0 || tls_port > 0 => {
            let address = network.bind.0.first().map_or("*", String::as_str);
            format!("{address}:{}", if port > 0 { port } else { tls_port })
        }
        "listen-addr" | "unixsocket" => socket.to_owned(),
        "port" => port.to_string(),
        "tls-port" => tls_port.to_string(),
        "config-file" => config_file.map_or(String::new(), |file| file.display().to_string()),
        // The mode of a server that is neither in a cluster nor a sentinel has no name.
        _ => String::new(),
    };
    let mut text = String::new();
    let mut rest = config.process.title_template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        text.push_str(before);
        text.push_str(&fill(name));
        rest = after;
    }
    text.push_str(rest);
    text.trim_matches(' ').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_in() {
        let mut config = Config::default();
        let file = Some(Path::new("/etc/o.conf"));
        assert_eq!(text(&config, "ochre", None), "ochre *:6379");
        config.network.port = 0;
        config.network.unix_socket = "/run/o.sock".into();
        assert_eq!(text(&config, "ochre", None), "ochre /run/o.sock");
        config.network.port = 7;
        config.process.title_template =
            " {port}-{tls-port} {unixsocket} {config-file} {title}{server-mode} ".into();
        assert_eq!(
            text(&config, "x/ochre", file),
            "7-0 /run/o.sock /etc/o.conf x/ochre"
        );
        config.process.title_template = "plain".into();
        assert_eq!(text(&config, "ochre", file), "plain");
    }
}
