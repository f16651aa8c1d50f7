//! Contestants that take turns, and the figures that come of it.
//!
//! Absolute figures of a shared machine drift by a tenth and more within the hour, so nothing is compared across rounds:
//! in each round every contestant runs once, and a ratio is the median of the rounds' ratios.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use anyhow::Result;
use serde_json::{Value, json};

use crate::machine::{Usage, hurried};

/// Cores that others may use during a run that counts.
const OUTSIDE: f64 = 0.5;
/// How often a run is repeated that did not have the machine for itself.
const TRIES: usize = 3;

/// One run of one contestant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) usage: Usage,
    /// Further numbers of the same run, by name.
    pub(crate) more: BTreeMap<&'static str, f64>,
}

/// What happened in all rounds.
#[derive(Debug)]
pub(crate) struct Results<K> {
    rounds: Vec<BTreeMap<K, Sample>>,
    failures: BTreeMap<K, String>,
}

/// A line of the output.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) id: &'static str,
    value: Option<f64>,
    base: Option<f64>,
    ratio: Option<f64>,
    runs: usize,
    skipped: Option<String>,
    settings: Value,
}

/// Runs every contestant once a round. Who goes first changes, so that nobody always meets what the same one left.
/// A contestant that fails drops out of its round and is asked again in the next.
pub(crate) async fn take_turns<K: Copy + Ord + Debug>(
    rounds: usize,
    contestants: impl IntoIterator<Item = K>,
    mut run: impl AsyncFnMut(K) -> Result<Sample>,
) -> Results<K> {
    let contestants: Vec<K> = contestants
        .into_iter()
        .collect::<BTreeSet<K>>()
        .into_iter()
        .collect();
    let mut results = Results {
        rounds: Vec::new(),
        failures: BTreeMap::new(),
    };
    for round in 0..rounds {
        let mut samples = BTreeMap::new();
        for turn in 0..contestants.len() {
            let who = contestants[(turn + round) % contestants.len()];
            for attempt in 1..=TRIES {
                match run(who).await {
                    Ok(sample) => {
                        eprintln!("  {}. {who:?}: {}", round + 1, sample.describe());
                        if sample.usage.outside > OUTSIDE && attempt < TRIES && !hurried() {
                            eprintln!(
                                "     not counted: others used {:.1} cores",
                                sample.usage.outside
                            );
                            continue;
                        }
                        samples.insert(who, sample);
                    }
                    Err(error) => {
                        eprintln!("  {}. {who:?} failed: {error:?}", round + 1);
                        results.failures.insert(who, format!("{error:#}"));
                    }
                }
                break;
            }
        }
        results.rounds.push(samples);
    }
    results
}

impl Sample {
    fn describe(&self) -> String {
        let mut text = format!(
            "{:.1} (processor seconds: server {:.1}, client {:.1})",
            self.value, self.usage.server, self.usage.client
        );
        for (name, number) in &self.more {
            text.push_str(&format!(", {name} {number:.3}"));
        }
        text
    }
}

impl<K: Copy + Ord + Debug> Results<K> {
    /// The figure of `value` beside `base`.
    pub(crate) fn figure(&self, id: &'static str, value: K, base: K, settings: Value) -> Figure {
        self.figure_of(id, (value, None), (base, None), settings)
    }

    /// The same of a further number of the samples, where one is named.
    pub(crate) fn figure_of(
        &self,
        id: &'static str,
        value: (K, Option<&'static str>),
        base: (K, Option<&'static str>),
        settings: Value,
    ) -> Figure {
        let number = |samples: &BTreeMap<K, Sample>, (who, name): (K, Option<&'static str>)| {
            let sample = samples.get(&who)?;
            name.map_or(Some(sample.value), |name| sample.more.get(name).copied())
        };
        let pairs: Vec<(f64, f64)> = self
            .rounds
            .iter()
            .filter_map(|samples| Some((number(samples, value)?, number(samples, base)?)))
            .collect();
        let mut figure = Figure::new(id, &pairs, self.settings(value.0, base.0, settings));
        if pairs.is_empty() {
            let why = self.failures.get(&value.0).or(self.failures.get(&base.0));
            figure.skipped = Some(
                why.cloned()
                    .unwrap_or_else(|| "no run was counted".to_owned()),
            );
        }
        figure
    }

    /// The settings with what the runs themselves say.
    fn settings(&self, value: K, base: K, mut settings: Value) -> Value {
        let usage = |who: K| {
            let of = |part: fn(&Usage) -> f64| {
                let all: Vec<f64> = self
                    .rounds
                    .iter()
                    .filter_map(|r| Some(part(&r.get(&who)?.usage)))
                    .collect();
                rounded(median(&all))
            };
            json!({"server": of(|u| u.server), "client": of(|u| u.client), "outside": of(|u| u.outside)})
        };
        if let Some(settings) = settings.as_object_mut() {
            settings.insert("processor_s".to_owned(), usage(value));
            settings.insert("processor_s_of_base".to_owned(), usage(base));
        }
        settings
    }
}

impl Figure {
    /// A figure of pairs of value and base.
    pub(crate) fn new(id: &'static str, pairs: &[(f64, f64)], settings: Value) -> Self {
        let of = |part: fn(&(f64, f64)) -> f64| {
            let all: Vec<f64> = pairs.iter().map(part).collect();
            (!all.is_empty()).then(|| median(&all))
        };
        let ratio = of(|(value, base)| value / base);
        Self {
            id,
            value: of(|pair| pair.0),
            base: of(|pair| pair.1),
            ratio,
            runs: pairs.len(),
            skipped: None,
            settings,
        }
    }

    /// As JSON, with the settings of all figures.
    pub(crate) fn line(&self, settings: &Value) -> Value {
        let mut all = settings.clone();
        if let (Some(all), Some(own)) = (all.as_object_mut(), self.settings.as_object()) {
            all.extend(own.clone());
        }
        let mut line = json!({
            "id": self.id,
            "value": self.value.map(rounded),
            "base": self.base.map(rounded),
            "ratio": self.ratio.map(rounded),
            "runs": self.runs,
            "settings": all,
        });
        if let (Some(line), Some(why)) = (line.as_object_mut(), &self.skipped) {
            line.insert("skipped".to_owned(), json!(why));
        }
        line
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which a share of all lies, by the nearest rank.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    if share == 0.5 && last % 2 == 1 {
        return f64::midpoint(sorted[last / 2], sorted[last / 2 + 1]);
    }
    sorted[(last as f64 * share).round() as usize]
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: f64) -> Sample {
        Sample {
            value,
            ..Sample::default()
        }
    }

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), 99.0);
        assert_eq!(quantile(&hundred, 1.0), 100.0);
    }

    #[tokio::test]
    async fn ratios_are_of_the_same_round_and_everybody_takes_turns() {
        let mut order = Vec::new();
        let results = take_turns(3, ["a", "b"], async |who| {
            order.push(who);
            // Each round is twice as fast as the one before.
            let speed = f64::from(1 << ((order.len() - 1) / 2));
            Ok(sample(if who == "a" { 3.0 * speed } else { speed }))
        })
        .await;
        assert_eq!(order, ["a", "b", "b", "a", "a", "b"]);
        let line = results
            .figure("a_vs_b", "a", "b", json!({}))
            .line(&json!({}));
        assert_eq!(
            (&line["ratio"], &line["value"], &line["runs"]),
            (&json!(3.0), &json!(6.0), &json!(3))
        );
    }

    #[tokio::test]
    async fn who_fails_costs_only_its_own_figures() {
        let results = take_turns(2, [1, 2, 3], async |who| {
            anyhow::ensure!(who != 3, "no such peer");
            Ok(sample(f64::from(who)))
        })
        .await;
        let good = results.figure("good", 2, 1, json!({})).line(&json!({}));
        assert_eq!((&good["ratio"], &good["runs"]), (&json!(2.0), &json!(2)));
        let bad = results.figure("bad", 1, 3, json!({})).line(&json!({}));
        assert_eq!(
            (&bad["value"], &bad["skipped"]),
            (&Value::Null, &json!("no such peer"))
        );
    }
}
