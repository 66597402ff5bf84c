//! A trend as a small line.

use maud::{Markup, html};

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;

/// A line through these values, oldest first, from nothing to the largest; `label` says the same in words.
pub(super) fn line(values: &[f64], label: &str) -> Markup {
    let [_, _, ..] = values else { return html! { span.faint { "–" } } };
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / (values.len() - 1) as f64;
    let place = |(i, v): (usize, &f64)| (i as f64 * step, 1.5 + (HEIGHT - 3.0) * (1.0 - v / most));
    let places: Vec<(f64, f64)> = values.iter().enumerate().map(place).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (x, y) = places.last().copied().unwrap_or_default();
    html! {
        svg.spark viewBox={ "-2 0 " (WIDTH + 4.0) " " (HEIGHT) } width=(WIDTH + 4.0) height=(HEIGHT) role="img" aria-label=(label) {
            polyline points=(points.join(" ")) {}
            circle cx={ (format!("{x:.1}")) } cy={ (format!("{y:.1}")) } r="1.8" {}
        }
    }
}
