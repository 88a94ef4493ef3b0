use clap::Parser as _;

use super::*;
use crate::drive::{Overlays, WhenFull};
use crate::policy::thermal::SENSOR;

fn settings(text: &str) -> Result<Settings> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, text).unwrap();
    Settings::read(&path)
}

#[derive(Debug, clap::Parser)]
struct Line {
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

fn flags(given: &[&str]) -> Flags {
    let line = ["run", "--config", "edge.toml"].iter().chain(given);
    Line::try_parse_from(line).unwrap().flags
}

const LEAST: &str = "schema = 1\nfrom = 'drive.mcap'\nbundle = 'slim.bundle'\n";

#[test]
fn flags_override_the_file_and_the_file_overrides_the_default() {
    let file = settings(&format!(
        "{LEAST}rate = 15\nsmooth = 5\n[thermal]\nrules = ['above 80: rate 5']\n[log]\nfolder = 'log'\n"
    ))
    .unwrap();
    let run = flags(&["--rate", "7", "--from", "/dev/video0"]).over(file).unwrap().check().unwrap();
    assert_eq!((run.drive.rate, run.drive.smoothing, run.from.as_str()), (Some(7.0), Some(5), "/dev/video0"));
    let thermal = run.drive.thermal.unwrap();
    assert_eq!((thermal.sensor, thermal.hysteresis_c), (PathBuf::from(SENSOR), 5.0));
    assert!(thermal.sensor_may_lack, "nobody has named it");
    assert_eq!(run.drive.when_full, WhenFull::GoOn, "there is a log");
    assert_eq!(run.log.unwrap().budget_bytes, 1 << 30);
    assert_eq!((run.drive.threads, run.drive.overlays), (1, Overlays::Write));
    let again: Settings = toml::from_str(&toml::to_string(&run.effective).unwrap()).unwrap();
    assert_eq!(again, run.effective);
}

#[test]
fn a_flag_that_nobody_gave_leaves_the_file_as_it_is() {
    let file = settings(
        "schema = 1\nfrom = 'drive.mcap'\nbundle = 'slim.bundle'\nout = 'masks'\nout_budget_mb = 5\noverlays = false\n\
         any_camera = true\ngolden = false\n[engine]\nsplit = 2\npin = true\n[thermal]\nhysteresis = 3\n\
         rules = ['above 80: rate 5']\n[record]\nfolder = 'field'\nall = true\nkeep_free_mb = 7\n[log]\nfile_mib = 3\n\
         [http]\nbind = '127.0.0.1:1'\n[foxglove]\nbind = '127.0.0.1:2'\nallow_origin = ['https://a.example']\n",
    )
    .unwrap();
    // An environment variable is a flag, too.
    let isa = std::env::var("PARALLAX_KERNELS").ok();
    let expected = Settings { engine: EngineSettings { isa, ..file.engine.clone() }, ..file.clone() };
    assert_eq!(flags(&[]).over(file).unwrap(), expected);
}

#[test]
fn every_flag_is_the_key_that_it_stands_for() {
    let given = flags(&[
        "--budget=2.5MB",
        "--no-overlays",
        "--any-camera",
        "--no-golden",
        "--pin",
        "--split=3",
        "--http",
        "--foxglove=127.0.0.1:3",
        "--log=logs",
        "--record=field",
        "--record-all",
        "--record-budget=1GB",
        "--keep-free=0",
        "--thermal=above 70: rate 1",
        "--thermal-sensor=t",
        "--allow-origin=https://b.example",
        "--roi=1,2,64,48",
    ]);
    let file = settings(&format!(
        "{LEAST}golden = true\n[thermal]\nrules = ['above 80: rate 5']\n[foxglove]\nallow_origin = ['https://a.example']\n"
    ));
    let settings = given.over(file.unwrap()).unwrap();
    let folders = [&settings.log.folder, &settings.record.folder].map(|folder| folder.clone().unwrap());
    assert_eq!(folders, [PathBuf::from("logs"), PathBuf::from("field")]);
    assert_eq!(settings.out_budget_mb, Some(2.5));
    let switches = [settings.overlays, settings.any_camera, settings.golden, settings.engine.pin, settings.record.all];
    assert_eq!(switches, [Some(false), Some(true), Some(false), Some(true), Some(true)]);
    assert_eq!((settings.record.budget_mb, settings.record.keep_free_mb), (Some(1000.0), Some(0.0)));
    assert_eq!(settings.http.bind, HTTP.parse().ok());
    assert_eq!(settings.foxglove.bind, "127.0.0.1:3".parse().ok());
    assert_eq!(settings.foxglove.allow_origin, ["https://b.example", "https://a.example"], "those of both");
    assert_eq!(settings.thermal.rules, ["above 70: rate 1".parse().unwrap()], "those of the file are replaced");
    assert_eq!((settings.thermal.sensor, settings.roi.as_deref()), (Some("t".into()), Some("1,2,64,48")));
}

#[test]
fn the_packaged_configuration_runs_on_a_board_without_a_thermal_sensor() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/edge.toml");
    let run = Settings::read(&path).unwrap().check().unwrap();
    let thermal = run.drive.thermal.unwrap();
    assert!(thermal.sensor_may_lack && !thermal.rules.is_empty());
    let named = settings(&format!("{LEAST}[thermal]\nsensor = '/x'\nrules = ['above 80: rate 5']\n")).unwrap();
    assert!(!named.check().unwrap().drive.thermal.unwrap().sensor_may_lack, "a sensor that is named is meant");
}

#[test]
fn masks_alone_end_the_run_when_they_find_no_room() {
    let run = settings(&format!("{LEAST}out = 'masks'\nout_budget_mb = 2.5\n")).unwrap().check().unwrap();
    assert_eq!((run.drive.out_budget, run.drive.when_full), (Some(2_500_000), WhenFull::End));
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_by_name() {
    for (more, said) in [
        ("rat = 5", "rat"),
        ("[log]\nfolder = 'x'\nfile_mib = 4294967295", "budget of at least two files"),
        ("[log]\nfolder = 'x'\nfile_mib = 2147483648", "budget of at least two files"),
        ("out_budget_mb = 5", "no folder"),
        ("out = 'masks'\nout_budget_mb = 0.1", "1 MB at least"),
        ("[log]\nfolder = 'a'\n[record]\nfolder = 'a'", "one folder"),
        ("rate = 0.0", "frames a second"),
        ("roi = '1,2,3'", "x,y,width,height"),
        ("smooth = 4", "odd number"),
        ("smooth = 5\nthreads = 2", "in order"),
        ("[thermal]\nrules = ['above 80: stop']", "above DEGREES"),
        ("[thermal]\nsensor = '/x'", "without rules"),
        ("[thermal]\nhysteresis = -1.0\nrules = ['above 80: rate 5']", "hysteresis"),
        ("[log]\nfolder = 'x'\nbudget_mib = 64", "two files"),
        ("threads = 2\n[engine]\npin = true", "pinned"),
        ("[engine]\nisa = 'z80'", "z80"),
        ("[record]\nbudget_mb = 5", "not where"),
        ("[http]\nbind = '0.0.0.0:8080'", "token"),
        ("[http]\nbind = 'localhost'", "bind"),
        ("[foxglove]\nbind = '0.0.0.0:8765'", "tokens"),
        ("[foxglove]\nbind = '127.0.0.1:0'\nallow_origin = ['*']", "origin"),
        ("[foxglove]\nbind = '127.0.0.1:0'\nallow_origin = ['null']", "origin"),
        ("[foxglove]\nbind = '127.0.0.1:0'\nallow_origin = ['https://robot.example/page']", "origin"),
        ("[foxglove]\nallow_origin = ['https://robot.example']", "allow nothing"),
        ("[htpt]\nbind = '127.0.0.1:1'", "htpt"),
    ] {
        let error = settings(&format!("{LEAST}{more}\n")).and_then(Settings::check).unwrap_err();
        assert!(error.to_string().contains(said) && error.hint().is_some(), "{more}: {error}");
        assert!(matches!(error, EdgeError::Settings { .. }), "{more}: {error:?}");
    }
    for text in ["from = 'x'", "schema = 2"] {
        assert!(settings(text).unwrap_err().to_string().contains("schema = 1"), "{text}");
    }
    assert!(Settings::default().check().unwrap_err().to_string().contains("source of frames"));
}

#[test]
fn an_address_that_others_reach_needs_a_token_that_cannot_be_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    let check = |token: &str| {
        std::fs::write(&token_file, token).unwrap();
        let http = Http { bind: Some("0.0.0.0:8080".parse().unwrap()), token_file: Some(token_file.clone()) };
        run::http(http).map(|http| http.unwrap().token.unwrap())
    };
    assert_eq!(check("0123456789abcdef\n").unwrap(), "0123456789abcdef");
    assert!(check("short").is_err() && check("0123456789 abcdef").is_err() && check("").is_err());
    let loopback = Http { bind: Some(HTTP.parse().unwrap()), token_file: None };
    assert_eq!(run::http(loopback).unwrap().unwrap().token, None);
}
