//! Flags of the command line over a configuration file.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::{Settings, refuse};
use crate::Result;

/// The flags for [`Settings`] that somebody gave.
#[derive(Debug, Clone)]
pub struct Flags(ArgMatches);

impl Flags {
    /// The settings of a file, except where a flag says otherwise. Origins of flags are added to those of the file.
    ///
    /// # Errors
    /// None that the command line has not refused before.
    pub fn over(&self, file: Settings) -> Result<Settings> {
        let mut settings = file;
        let origins_of_file = std::mem::take(&mut settings.foxglove.allow_origin);
        settings
            .update_from_arg_matches(&self.0)
            .map_err(|error| refuse(error.to_string(), "`run --help` lists the flags"))?;
        settings.foxglove.allow_origin.extend(origins_of_file);
        Ok(settings)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = matches.clone();
        // A switch that nobody gave has a default in clap, which would override the file.
        let is_default = |id: &&str| matches.value_source(id) == Some(ValueSource::DefaultValue);
        for id in matches.ids().map(clap::Id::as_str).filter(is_default) {
            // It fails for an id that clap does not know; these are its own.
            let _ = given.try_clear_id(id);
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        Settings::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Settings::augment_args_for_update(command)
    }
}
