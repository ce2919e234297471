//! The plots, as SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::{Outcome, figure::Figure, growth::Growth, throughput::Throughput};

const SIZE: (u32, u32) = (900, 420);

/// A bar a contender: the median, with the spread as a line.
pub fn throughput(measured: &[Throughput], path: &Path) -> Outcome<()> {
    let bars: Vec<_> = measured
        .iter()
        .filter_map(|throughput| {
            let label = format!("{}, {} ms", throughput.contender, throughput.vendor_ms);
            Some((label, throughput.of(|run| run.changes_per_second)?))
        })
        .collect();
    let most = bars
        .iter()
        .map(|(_, figure)| figure.highest)
        .fold(1.0, f64::max);
    let area = SVGBackend::new(path, (SIZE.0, 80 + 34 * bars.len() as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let labels = bars
        .iter()
        .map(|(label, _)| label.clone())
        .collect::<Vec<_>>();
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Changes a second (median, lowest to highest)",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(290)
        .build_cartesian_2d(0.0..most * 1.05, (0..bars.len()).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(bars.len())
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(row) => labels.get(*row).cloned().unwrap_or_default(),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        })
        .x_label_formatter(&|rate| format!("{rate:.0}"))
        .draw()?;
    chart.draw_series(bars.iter().enumerate().map(|(row, (_, figure))| {
        let corners = [
            (0.0, SegmentValue::Exact(row)),
            (figure.median, SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, BLUE.mix(0.6).filled());
        bar.set_margin(5, 5, 0, 0);
        bar
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(row, (_, figure))| {
        let ends = [
            (figure.lowest, SegmentValue::CenterOf(row)),
            (figure.highest, SegmentValue::CenterOf(row)),
        ];
        PathElement::new(ends, BLACK.stroke_width(2))
    }))?;
    Ok(area.present()?)
}

/// What a change costs, over how many wait in line.
pub fn growth(measured: &[Growth], path: &Path) -> Outcome<()> {
    let figures: Vec<(f64, Figure)> = measured
        .iter()
        .filter_map(|growth| Some((growth.queued as f64, growth.of(|run| run.change_ms)?)))
        .collect();
    let (least, most) = match (figures.first(), figures.last()) {
        (Some(first), Some(last)) => (first.0, last.0),
        _ => return Ok(()),
    };
    let slowest = figures.iter().map(|(_, ms)| ms.highest).fold(0.0, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Milliseconds a change, over the changes in line (median, lowest to highest)",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(56)
        .build_cartesian_2d((least..most).log_scale(), 0.0..slowest * 1.25)?;
    chart
        .configure_mesh()
        .x_label_formatter(&|queued| format!("{queued:.0}"))
        .y_label_formatter(&|ms| format!("{ms:.2}"))
        .draw()?;
    let medians = figures.iter().map(|(queued, ms)| (*queued, ms.median));
    chart.draw_series(LineSeries::new(medians.clone(), BLUE.stroke_width(2)))?;
    chart.draw_series(medians.map(|point| Circle::new(point, 4, BLUE.filled())))?;
    chart.draw_series(figures.iter().map(|(queued, ms)| {
        let spread = [(*queued, ms.lowest), (*queued, ms.highest)];
        PathElement::new(spread, BLACK.stroke_width(2))
    }))?;
    Ok(area.present()?)
}
