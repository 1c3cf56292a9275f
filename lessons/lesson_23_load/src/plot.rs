//! A picture of the result: how long deliveries took, at each rate or in each second.

use crate::{
    options::Options,
    report::{Report, Times},
};

/// Where the curves are, in a picture of 720 by 400.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 340.0;

/// The shortest time that it shows, as a power of ten of a millisecond: 0.01 ms.
const SHORTEST: f64 = -2.0;

/// For how many of the points there are labels below.
const LABELS: usize = 12;

/// The curves: a percentile each, and how its line is drawn.
const CURVES: [(f64, &str); 3] = [(50.0, "2 4"), (99.0, "none"), (99.9, "8 4")];

/// The picture, as a file of SVG. Its vertical axis is logarithmic.
pub fn plot(report: &Report, options: &Options) -> String {
    let (title, points) = report.points(options);
    let longest =
        points.iter().map(|(_, times)| times.percentile(99.9)).fold(1.0, f64::max);
    let powers = longest.log10().ceil() - SHORTEST;
    // All at the same distance, because rates are often each twice the one before.
    let last = points.len().saturating_sub(1);
    let x = |index: usize| LEFT + (RIGHT - LEFT) * index as f64 / last.max(1) as f64;
    let y = |millis: f64| {
        let power = millis.log10().max(SHORTEST) - SHORTEST;
        BOTTOM - (BOTTOM - TOP) * power / powers
    };
    let text = |x: f64, y: f64, anchor: &str, words: &str| {
        format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>\n"
        )
    };

    let mut svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 400\" \
                   font-family=\"sans-serif\" font-size=\"13\">\n\
                   <rect width=\"720\" height=\"400\" fill=\"white\"/>\n"
        .to_owned();
    for power in 0..=powers as i32 {
        let millis = 10_f64.powf(f64::from(power) + SHORTEST);
        let at = y(millis);
        svg += &format!("<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#bbb\"/>\n");
        svg += &text(LEFT - 6.0, at + 4.0, "end", &format!("{millis} ms"));
    }
    for (index, (at, _)) in points.iter().enumerate().step_by(1 + last / LABELS) {
        svg += &text(x(index), BOTTOM + 18.0, "middle", &at.to_string());
    }
    svg += &text((LEFT + RIGHT) / 2.0, BOTTOM + 40.0, "middle", title);
    for (percent, dashes) in CURVES {
        // Where nothing was delivered, there is no latency.
        let points =
            points.iter().enumerate().filter(|(_, (_, times))| times.count() > 0);
        let place = |(index, (_, times)): (usize, &(f64, Times))| {
            (x(index), y(times.percentile(percent)))
        };
        let places: Vec<(f64, f64)> = points.map(place).collect();
        let line: String =
            places.iter().map(|(x, y)| format!("{x:.1},{y:.1} ")).collect();
        svg += &format!(
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"#036\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>\n"
        );
        let (x, y) = places.last().copied().unwrap_or((RIGHT, BOTTOM));
        svg += &text(x + 8.0, y + 4.0, "start", &format!("p{percent}"));
    }
    svg + "</svg>\n"
}
